//! The trip sheets that the rule `trip` keeps, for pages and files. They follow from what was observed: after late data the next
//! tick gives them as they are then.

use super::Engine;
use super::judge::GroupKey;
use model::id::SubjectId;
use model::trip::TripSheet;

impl Engine {
    /// The last trips of a truck, or of all, by truck and time of loading.
    pub fn trips(&self, truck: Option<SubjectId>) -> Vec<TripSheet> {
        let mut all = Vec::new();
        for group in &self.groups.list {
            let GroupKey::Subject(subject) = group.key else { continue };
            if truck.is_some_and(|only| only != subject) {
                continue;
            }
            let judges = group.seats.iter().filter_map(|seat| seat.head.live());
            for (_, judge) in judges {
                all.extend(judge.sheets().iter().map(|sheet| TripSheet::clone(sheet)));
            }
        }
        all.sort_by_key(|sheet| (sheet.truck, sheet.loaded));
        all
    }
}
