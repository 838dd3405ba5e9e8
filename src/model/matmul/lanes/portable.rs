//! Arrays.

use super::{LINE, Lanes, Line, PairLine, WidePairLine};

/// Arrays, for the compiler to vectorise.
pub struct Portable;

impl Lanes for Portable {
    type Floats = Line;
    type Integers = [i32; LINE];
    type Pairs = WidePairLine;

    #[inline(always)]
    fn load(line: &Line) -> Line {
        *line
    }

    #[inline(always)]
    fn store(sums: Line, line: &mut Line) {
        *line = sums;
    }

    #[inline(always)]
    fn zeros() -> [i32; LINE] {
        [0; LINE]
    }

    #[inline(always)]
    fn widen(line: &PairLine) -> WidePairLine {
        line.map(|pair| pair.map(i16::from))
    }

    #[inline(always)]
    fn load_wide(line: &WidePairLine) -> WidePairLine {
        *line
    }

    #[inline(always)]
    fn add_pairs(mut sums: [i32; LINE], line: WidePairLine, x: i32) -> [i32; LINE] {
        let (first, second) = (i32::from(x as i16), x >> 16);
        for (sum, w) in sums.iter_mut().zip(line) {
            *sum += i32::from(w[0]) * first + i32::from(w[1]) * second;
        }
        sums
    }

    #[inline(always)]
    fn to_floats(sums: [i32; LINE]) -> Line {
        sums.map(|v| v as f32)
    }
}
