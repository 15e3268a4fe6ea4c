//! Annotations, finalizers and AWS tags that users, tests and other tools rely on.

/// Annotation: any new value asks for a pass on reads no older than the request.
pub const RECONCILE_REQUESTED_AT: &str = "dmsnet.dev/reconcile-requested-at";
/// Annotation, value `"true"`: let a network go although AWS refuses the clean-up.
pub const ABANDON: &str = "dmsnet.dev/abandon";
/// Annotation, value `"true"`: the class of networks that name none.
pub const IS_DEFAULT_CLASS: &str = "dmsnet.dev/is-default-class";

/// Finalizer of a network while it may hold AWS objects.
pub const NETWORK_FINALIZER: &str = "dmsnet.dev/aws-resources";
/// Finalizer of a class while a network uses it.
pub const CLASS_FINALIZER: &str = "dmsnet.dev/in-use";

/// AWS tag on all that dmsnet made, whoever owns it now.
pub const TAG_MANAGED_BY: &str = "dmsnet.dev/managed-by";
/// Value of [`TAG_MANAGED_BY`].
pub const MANAGED_BY: &str = "dmsnet";
/// Prefix of the owner tag; the owner's name follows, the value is `owned` or `shared`.
pub const TAG_OWNER_PREFIX: &str = "dmsnet.dev/owner/";
/// AWS tag for people: `namespace/name` of the first user; never compared.
pub const TAG_NETWORK: &str = "dmsnet.dev/network";
/// AWS tag on an endpoint of somebody else that a network took over by ID.
pub const TAG_TAKEN_OVER: &str = "dmsnet.dev/taken-over";
/// AWS tag with which an object's owner allows it to be taken over (class `takeOver: Tagged`).
pub const TAG_ALLOW_TAKE_OVER: &str = "dmsnet.dev/allow-take-over";

/// Prefix of the tag on a network ACL that records whose an entry is: `dmsnet.dev/entry/<in|out>-<number>`, the value is the owner.
pub const TAG_ENTRY_PREFIX: &str = "dmsnet.dev/entry/";
/// Prefix of the tag on a route table that records whose a route is: `dmsnet.dev/route/<destination>`, the value is the owner.
pub const TAG_ROUTE_PREFIX: &str = "dmsnet.dev/route/";

/// Field manager and Event reporter.
pub const MANAGER: &str = "dmsnet";
