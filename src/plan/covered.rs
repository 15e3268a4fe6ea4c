//! Network ACLs have few places (domain.md 3.4): what one wanted entry lets through is not wanted a second time.

use super::{record, wanted::Wanted};
use crate::model::{AclShape, NetworkAclId, Owner, Picture};

impl Wanted {
    /// Leaves out entries of which another one lets everything through. Not where a deny of others matches only the wider one, which
    /// then may have to stay behind it, or cannot be set at all.
    pub(super) fn leave_out_covered(&mut self, picture: &Picture, owner: &Owner) {
        let all: Vec<(NetworkAclId, AclShape)> = self.acl_entries.keys().cloned().collect();
        let free = |id: &NetworkAclId, wider: &AclShape, shape: &AclShape| {
            let Some(acl) = picture.acls.get(id) else { return false };
            let is_ours = |n| record::is_entry_of(&acl.tags, shape.direction, n, owner);
            let denies = acl.entries(shape.direction).filter(|e| !e.allow && !is_ours(e.number)).map(|e| e.shape());
            denies.filter(|d| d.overlaps(wider)).all(|d| d.overlaps(shape))
        };
        self.acl_entries.retain(|(id, shape), _| {
            let covered = |(acl, wider): &&(NetworkAclId, AclShape)| acl == id && wider.covers(shape) && free(id, wider, shape);
            !all.iter().any(|e| covered(&e) && e.1 != *shape)
        });
    }
}
