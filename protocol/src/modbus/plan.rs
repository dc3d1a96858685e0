//! Merges the values of a register map into as few block reads as the limits allow.

use super::{Function, Point};

/// One read request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    pub function: Function,
    pub address: u16,
    pub count: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// Unwanted registers (or bits) between two wanted ones that may be read along.
    pub gap_max: u16,
    /// At most 125 by the standard.
    pub registers_max: u16,
    /// At most 2000 by the standard.
    pub bits_max: u16,
    /// Every point in a block of its own.
    pub one_by_one: bool,
    /// A block of coils or discrete inputs begins at 0, as some slaves want it; one that would be too long for that begins where it did.
    pub bits_from_zero: bool,
}

impl Default for PlanLimits {
    fn default() -> Self {
        Self { gap_max: 8, registers_max: 125, bits_max: 2000, one_by_one: false, bits_from_zero: false }
    }
}

/// Blocks by function and address. Every point lies whole in one block; a point that runs past the last address is left out.
pub fn plan(points: &[Point<'_>], limits: PlanLimits) -> Vec<Block> {
    let mut wanted: Vec<(Block, Edge)> = points
        .iter()
        .filter_map(|point| {
            let count = if point.function.is_bits() { 1 } else { point.kind.width() };
            point.address.checked_add(count - 1)?;
            let edge = Edge { split: point.split, alone: point.alone || limits.one_by_one };
            Some((Block { function: point.function, address: point.address, count }, edge))
        })
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut blocks: Vec<(Block, Edge)> = Vec::new();
    for (next, edge) in wanted {
        let merged = blocks.last().and_then(|(block, last)| {
            // What lies within a block that is read anyway cannot begin one.
            let apart = edge.split && block.ends_before(next);
            if edge.alone || last.alone || apart { None } else { merge(*block, next, limits) }
        });
        match (merged, blocks.last_mut()) {
            (Some(merged), Some((block, _))) => *block = merged,
            _ => blocks.push((next, edge)),
        }
    }
    let mut blocks: Vec<Block> = blocks.into_iter().map(|(block, _)| block).collect();
    if limits.bits_from_zero {
        for block in blocks.iter_mut().filter(|block| block.function.is_bits()) {
            let whole = block.address.checked_add(block.count).filter(|whole| *whole <= limits.bits_max.min(2000));
            *block = whole.map_or(*block, |count| Block { address: 0, count, ..*block });
        }
    }
    blocks.dedup();
    blocks
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    split: bool,
    alone: bool,
}

impl Block {
    fn ends_before(self, next: Self) -> bool {
        u32::from(self.address) + u32::from(self.count) <= u32::from(next.address)
    }
}

fn merge(block: Block, next: Block, limits: PlanLimits) -> Option<Block> {
    if block.function != next.function {
        return None;
    }
    let end = u32::from(block.address) + u32::from(block.count);
    let gap = u32::from(next.address).saturating_sub(end);
    let most = if block.function.is_bits() { limits.bits_max.min(2000) } else { limits.registers_max.min(125) };
    let count = end.max(u32::from(next.address) + u32::from(next.count)) - u32::from(block.address);
    (gap <= u32::from(limits.gap_max) && count <= u32::from(most))
        .then_some(Block { count: u16::try_from(count).ok()?, ..block })
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use proptest::prelude::*;

    fn point(function: Function, address: u16, kind: Kind, alone: bool) -> Point<'static> {
        Point { alone, ..Point::new("x", function, address, kind) }
    }

    #[test]
    fn neighbours_share_a_block_and_far_ones_do_not() {
        let holding = |address, kind| point(Function::HoldingRegisters, address, kind, false);
        let points = [holding(0, Kind::F32), holding(4, Kind::U16), holding(100, Kind::U16)];
        let block = |address, count| Block { function: Function::HoldingRegisters, address, count };
        assert_eq!(plan(&points, PlanLimits::default()), [block(0, 5), block(100, 1)]);
        assert_eq!(plan(&points, PlanLimits { gap_max: 1, ..PlanLimits::default() }).len(), 3);
    }

    #[test]
    fn a_register_that_wants_to_be_alone_is_read_alone() {
        let points = [0, 1, 2].map(|address| point(Function::InputRegisters, address, Kind::U16, address == 1));
        assert_eq!(plan(&points, PlanLimits::default()).len(), 3);
    }

    #[test]
    fn a_hole_is_not_read_across() {
        let holding = |address| point(Function::HoldingRegisters, address, Kind::U16, false);
        let split = Point { split: true, ..holding(3) };
        let blocks = plan(&[holding(0), holding(1), split, holding(4)], PlanLimits::default());
        assert_eq!(blocks.iter().map(|block| (block.address, block.count)).collect::<Vec<_>>(), [(0, 2), (3, 2)]);
    }

    #[test]
    fn what_a_slave_cannot_do_is_not_asked_of_it() {
        let points = [0, 1].map(|address| point(Function::HoldingRegisters, address, Kind::U16, false));
        assert_eq!(plan(&points, PlanLimits { one_by_one: true, ..PlanLimits::default() }).len(), 2);
        assert_eq!(plan(&points, PlanLimits { registers_max: 1, ..PlanLimits::default() }).len(), 2);
        let coils = [7, 9].map(|address| point(Function::Coils, address, Kind::Bit, false));
        let from_zero = PlanLimits { bits_from_zero: true, ..PlanLimits::default() };
        assert_eq!(plan(&coils, from_zero), [Block { function: Function::Coils, address: 0, count: 10 }]);
    }

    proptest! {
        #[test]
        fn every_point_lies_in_a_block_and_no_block_is_over_the_limit(
            raw in prop::collection::vec((1_u8..5, any::<u16>(), 0_usize..4, any::<bool>(), any::<bool>()), 0..60), gap in 0_u16..300,
            one_by_one in any::<bool>(), bits_from_zero in any::<bool>()) {
            let kinds = [Kind::U16, Kind::F32, Kind::F64, Kind::Text(40)];
            let points: Vec<_> = raw.iter().map(|(function, address, kind, alone, split)|
                Point { split: *split, ..point(Function::from_u8(*function).unwrap(), *address, kinds[*kind], *alone) }).collect();
            let limits = PlanLimits { gap_max: gap, one_by_one, bits_from_zero, ..PlanLimits::default() };
            let blocks = plan(&points, limits);
            for block in &blocks {
                let most = if block.function.is_bits() { 2000 } else { 125 };
                prop_assert!((1..=most).contains(&block.count));
                prop_assert!(u32::from(block.address) + u32::from(block.count) <= 65_536);
            }
            for point in &points {
                let width = u32::from(if point.function.is_bits() { 1 } else { point.kind.width() });
                let end = u32::from(point.address) + width;
                let covered = blocks.iter().any(|block| block.function == point.function && block.address <= point.address
                    && end <= u32::from(block.address) + u32::from(block.count));
                prop_assert!(covered || end > 65_536);
            }
        }
    }
}
