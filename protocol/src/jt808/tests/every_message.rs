//! Every message there and back.

use super::*;

/// Bodies that are mostly small numbers, so that counts and lengths fit.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![6 => 0_u8..3, 1 => any::<u8>()], 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_written_so_that_it_reads_the_same(at in 0..KINDS.len(), version in any_version(), body in any_body()) {
        let id = KINDS[at].id;
        let first = Decoded::read_whole(id, version, &body);
        prop_assert_eq!(first.message.id(), id);
        let written = encode_body(version, &first.message);
        let clean = first.problems.is_empty();
        if clean {
            let second = Decoded::read_whole(id, version, &written);
            prop_assert_eq!(&second.message, &first.message);
            prop_assert_eq!(second.problems, vec![]);
        }
    }
}
