//! A permit's corridor as a route of a terminal.

use super::{Command, RoutePoint, Window};
use crate::register::Permit;

/// The widest segment a terminal knows, a BYTE of metres.
const WIDTH_M_MAX: f64 = 255.0;
/// Characters of a name.
const NAME_CHARS: usize = 60;

/// The route has the permit's number, so that the same permit, sent again, takes the place of what was sent before. Its width is the
/// corridor's, at most 255 m: a terminal may warn its driver sooner than a rule would.
pub fn route_of(permit: &Permit) -> Command {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
    let width_m = (permit.corridor_half_width_m * 2.0).round().clamp(1.0, WIDTH_M_MAX) as u8;
    let point = |place: &crate::geo::Wgs84| RoutePoint { place: *place, width_m, speed: None };
    Command::Jt808Route {
        id: u32::try_from(permit.id.0).unwrap_or(u32::MAX),
        name: permit.code.chars().take(NAME_CHARS).collect(),
        points: permit.corridor.iter().map(point).collect(),
        window: permit.valid_to.map(|to| Window { from: permit.valid_from, to, daily: false }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Wgs84;
    use crate::id::PermitId;
    use crate::time::EventTime;

    #[test]
    fn a_corridor_becomes_a_route_of_its_width_under_the_permits_number() {
        let corridor = vec![Wgs84 { lon: 113.5, lat: 34.8 }, Wgs84 { lon: 113.6, lat: 34.9 }];
        let mut permit = Permit {
            id: PermitId(12),
            code: "P-12".into(),
            trucks: Vec::new(),
            site: None,
            disposal_site: None,
            corridor: corridor.clone(),
            corridor_half_width_m: 40.0,
            windows: Vec::new(),
            valid_from: EventTime(0),
            valid_to: None,
            suspended: false,
            suspensions: Vec::new(),
        };
        let Command::Jt808Route { id, name, points, window } = route_of(&permit) else { panic!("a route") };
        assert_eq!((id, name.as_str(), points.len(), points[1].place, window), (12, "P-12", 2, corridor[1], None));
        assert_eq!(points[0].width_m, 80);
        permit.corridor_half_width_m = 500.0;
        permit.valid_to = Some(EventTime(1_000));
        let Command::Jt808Route { points, window, .. } = route_of(&permit) else { panic!("a route") };
        assert_eq!((points[0].width_m, window.map(|window| window.to)), (255, Some(EventTime(1_000))));
    }
}
