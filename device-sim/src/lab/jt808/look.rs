//! What the desk looks at in a terminal's message, and under which check a fault of it goes.

use super::super::book::{Finding, Weight, place_of};
use super::{Link, RECENT_MAX, RESENT_MAX, Recent, Terminal};
use protocol::explain::{Explained, Trouble};
use protocol::jt808::{Parts, Position, id};

impl Terminal {
    pub(super) fn look_at_troubles(&mut self, parts: &Parts<'_>, explained: &Explained) {
        let mut hit: Vec<&str> = Vec::new();
        for (place, trouble) in explained.explanation.all_troubles() {
            let Some((check, weight)) = check_of(trouble) else { continue };
            hit.push(check);
            let mut finding = Finding::of_trouble(check, place, trouble, weight);
            finding.frame = self.book.frames_up;
            self.book.found(finding);
        }
        let has_time = matches!(parts.header.id, id::POSITION | id::BATCH | id::POSITION_REPLY);
        for check in ["check", "length", "form", "header", "body", "time"] {
            if !hit.contains(&check) && (check != "time" || has_time) {
                self.book.kept(check);
            }
        }
    }

    pub(super) fn is_repeated(&mut self, parts: &Parts<'_>, explained: &Explained, new: &mut Vec<Finding>) -> bool {
        let Parts { header, body, .. } = parts;
        let known = self.recent.iter().find(|recent| recent.id == header.id && recent.serial == header.serial);
        let same = known.map(|known| known.body == *body);
        match same {
            Some(true) if header.id != id::HEARTBEAT => {
                self.book.kept("duplicate");
                return true;
            }
            // After a new connection serials may begin anew: another content is no fault then.
            Some(false) if self.last.is_some() && self.recent.len() < RECENT_MAX => {
                let text = Finding::new(
                    "duplicate",
                    "content_changed",
                    "同一流水号重发时内容改变",
                    "another content under the same serial",
                );
                self.add(text.at(place_of(&explained.explanation, "serial")), new);
            }
            _ => {}
        }
        if matches!(header.id, id::HEARTBEAT | id::REGISTER | id::AUTHENTICATE) {
            return false; // said anew on each connection
        }
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(Recent { id: header.id, serial: header.serial, body: body.to_vec() });
        false
    }

    /// Who comes first, whether serials count up, whether packets follow each other.
    pub(super) fn look_at_order(
        &mut self,
        link: &mut Link,
        parts: &Parts<'_>,
        repeated: bool,
        explained: &Explained,
        new: &mut Vec<Finding>,
    ) {
        let header = parts.header;
        let greeting = matches!(header.id, id::REGISTER | id::AUTHENTICATE);
        if greeting && !link.greeted {
            link.greeted = true;
            self.book.kept("first");
        } else if !greeting && !link.authenticated {
            let text = Finding::new(
                "first",
                "not_authenticated",
                "鉴权之前发送了其他消息",
                "a message before it was authenticated",
            );
            let detail = format!("0x{:04X}", header.id);
            self.add(text.at(place_of(&explained.explanation, "msg_id")).detail(detail).advise(
                "连接后先发 0x0102（无鉴权码时先发 0x0100），收到成功应答再发其他消息",
                "after connecting send 0x0102 (0x0100 without a code), and anything else only after it was answered",
            ), new);
        }
        // What was sent on a connection that was lost may come again, and may never have been seen.
        let behind = self.last.map_or(0, |last| last.wrapping_sub(header.serial));
        let resent = repeated || (self.book.connections > 1 && (1..=RESENT_MAX).contains(&behind));
        if let Some(last) = self.last
            && !resent
        {
            let expected = last.wrapping_add(1);
            if header.serial == expected {
                self.book.kept("serial");
            } else {
                let text = Finding::new("serial", "serial_gap", "流水号不连续", "serials that do not count up by one");
                let detail = format!("{expected} expected, {} found", header.serial);
                self.add(text.at(place_of(&explained.explanation, "serial")).detail(detail), new);
            }
        }
        if !resent {
            self.last = Some(header.serial);
        }
        if let Some(packet) = header.packet.filter(|packet| packet.total > 1) {
            let follows = match self.packet {
                Some((of, last)) if of == header.id && last.total == packet.total && last.number < last.total => {
                    packet.number == last.number + 1 || repeated
                }
                _ => packet.number == 1 || repeated,
            };
            if follows && packet.number <= packet.total {
                self.book.kept("packets");
            } else {
                let text = Finding::new(
                    "packets",
                    "packet_order",
                    "分包序号不连续",
                    "a sub-packet that does not follow the last",
                );
                self.add(text.at(place_of(&explained.explanation, "packet_number")), new);
            }
            self.packet = Some((header.id, packet));
        }
    }

    pub(super) fn look_at_position(&mut self, position: &Position<'_>, explained: &Explained, new: &mut Vec<Finding>) {
        if !position.is_fixed() {
            return;
        }
        let (lat, lon) = (position.lat_e6, position.lon_e6);
        let place = |name| place_of(&explained.explanation, name);
        let degrees = format!("{:.6}, {:.6}", f64::from(lat) / 1e6, f64::from(lon) / 1e6);
        let before = new.len();
        if lat == 0 && lon == 0 {
            let text = Finding::new("place", "place_zero", "定位有效但经纬度为 0", "fixed, and at 0, 0");
            self.add(
                text.at(place("lat")).advise("未定位时状态位 1 应为 0", "without a fix bit 1 of the status is 0"),
                new,
            );
        } else if !(3_000_000..=54_000_000).contains(&lat) || !(73_000_000..=136_000_000).contains(&lon) {
            let text = Finding::new(
                "place",
                "place_abroad",
                "经纬度不在中国境内：单位应为 10⁻⁶ 度",
                "not in China: the unit is 1e-6 degree",
            );
            self.add(text.at(place("lat")).detail(degrees), new);
        }
        if position.speed_dkmh > 2_200 {
            let text = Finding::new(
                "place",
                "speed_impossible",
                "速度不可能：单位应为 0.1 km/h",
                "an impossible speed: the unit is 0.1 km/h",
            );
            self.add(text.at(place("speed")).detail(format!("{:.1} km/h", f64::from(position.speed_dkmh) / 10.0)), new);
        }
        if position.course_degree >= 360 {
            let text = Finding::new("place", "course_impossible", "方向应为 0–359", "the course runs from 0 to 359");
            self.add(text.at(place("course")).detail(position.course_degree.to_string()), new);
        }
        if new.len() == before {
            self.book.kept("place");
        }
    }

    pub(super) fn on_heartbeat(&mut self, now: i64) {
        if let (Some(set), Some(last)) = (self.heartbeat_set, self.last_heartbeat.replace(now))
            && last >= set
            && self.heartbeats.len() < RECENT_MAX
        {
            self.heartbeats.push(now - last);
        }
        let mut sorted = self.heartbeats.clone();
        sorted.sort_unstable();
        let (Some(median), true) = (sorted.get(sorted.len() / 2).copied(), sorted.len() >= 2) else { return };
        let wanted = i64::from(self.trial.pace().heartbeat_s) * 1000;
        self.book.note("heartbeat", format!("{} 秒", median / 1000), format!("{} s", median / 1000));
        if (wanted / 2..=wanted * 3 / 2).contains(&median) {
            self.book.kept("heartbeat");
        } else {
            let text = Finding::new(
                "heartbeat",
                "heartbeat_interval",
                "心跳间隔与设定不符",
                "heartbeats at another interval than was set",
            );
            self.book.found(text.detail(format!("{} s expected, {} s found", wanted / 1000, median / 1000)));
        }
    }
}

/// Which check a problem belongs to; `None`: it says only that nobody looked inside.
fn check_of(trouble: &Trouble) -> Option<(&'static str, Weight)> {
    Some(match trouble.code {
        "sub_packet" | "encrypted" => return None,
        "check_bad" => ("check", Weight::Must),
        "length_bad" | "header_truncated" => ("length", Weight::Must),
        "stray_escape" | "no_opening_flag" | "no_closing_flag" => ("form", Weight::Must),
        "garbage" | "behind" => ("form", Weight::Should),
        "version_by_length" => ("header", Weight::Must),
        "time_not_digits" | "time_impossible" => ("time", Weight::Must),
        "place_impossible" => ("place", Weight::Must),
        "item_length" | "trailing_bytes" | "unknown_message" | "other_issue" | "too_many_items" => {
            ("body", Weight::Should)
        }
        _ => ("body", Weight::Must),
    })
}
