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
        let covering = |(id, shape): &(NetworkAclId, AclShape)| {
            all.iter().find(|(acl, wider)| acl == id && wider != shape && wider.covers(shape) && free(id, wider, shape))
        };
        for place in all.iter().filter(|place| covering(place).is_some()) {
            let Some(narrow) = self.acl_entries.remove(place) else { continue };
            // The widest that stays takes its reasons on.
            let mut by = covering(place);
            while let Some(next) = by.and_then(covering) {
                by = Some(next);
            }
            if let Some(wide) = by.and_then(|by| self.acl_entries.get_mut(by)) {
                wide.why.extend(narrow.why);
                wide.serves.extend(narrow.serves);
            }
        }
    }
}
