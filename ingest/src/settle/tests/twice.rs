//! What a frame, or the packets of one message, say twice and otherwise.

use super::*;

#[test]
fn what_a_frame_says_twice_is_taken_once_and_the_rest_is_told_with_its_value() {
    let told = |data: &str| {
        let out = World::new().put(&hj212(now(), "CN=2011;Flag=5", data));
        let [record] = records(&out)[..] else { panic!("{out:?}") };
        let fume = *record.body.value(Quantity::FUME, Statistic::Instant).unwrap();
        let remarks: Vec<_> = record.remarks.iter().map(|one| format!("{} {}", one.code, one.place)).collect();
        (fume.value, fume.flag, record.key.at.0 - now().0, remarks.join("; "))
    };
    let expect = |value, flag, remarks: &str| (value, flag, 0, remarks.to_owned());
    let cases = [
        ("a34041-Rtd=1.2;a34041-Rtd=9.9", expect(1.2, Flag::Normal, "duplicate_factor a34041=9.9")),
        ("a34041-Rtd=9.9,A34041-Rtd=1.2", expect(9.9, Flag::Normal, "duplicate_factor a34041=1.2")),
        ("a34041-Rtd=1.2,a34041-Flag=D,a34041-Flag=N", expect(1.2, Flag::Fault, "duplicate_factor a34041-Flag=N")),
        ("a34041-Rtd=1.2,a34041-Flag=Z", expect(1.2, Flag::Unknown, "flag_unknown a34041-Flag=Z")),
        (
            "DataTime=20261122120000;a34041-Rtd=1.2",
            expect(1.2, Flag::Normal, "data_time_twice DataTime=20261122120000"),
        ),
    ];
    for (data, expected) in cases {
        assert_eq!(told(&format!("DataTime=20261122080000;{data}")), expected, "{data}");
    }
}

#[test]
fn packets_that_contradict_each_other_are_one_record_that_says_so() {
    let mut world = World::new();
    let packet = |number: u32, fume: f64| {
        let head = format!("CN=2011;Flag=7;PNUM=2;PNO={number}");
        hj212(now(), &head, &format!("DataTime=20261122080000;a34041-Rtd={fume}"))
    };
    world.put(&packet(1, 1.1));
    let out = world.put(&packet(2, 5.5));
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    assert_eq!(record.body.value(Quantity::FUME, Statistic::Instant).unwrap().value, 1.1);
    assert!(record.remarks.iter().any(|one| one.code == "duplicate_factor" && one.place == "a34041=5.5"), "{record:?}");
}
