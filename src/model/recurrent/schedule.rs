//! Sequences of different lengths that step together.

/// Which sequence and time each row is. Sequences are ordered by falling
/// length, so that those still running at a step are the first rows of every
/// buffer, and a step's rows lie together: padding costs nothing and needs no
/// mask.
pub struct Schedule {
    /// Sequences by falling length.
    pub order: Vec<usize>,
    /// First row of each step, and the number of all rows at the end.
    pub first_row: Vec<usize>,
}

impl Schedule {
    /// For sequences of these lengths, in steps.
    pub fn new(lengths: &[usize]) -> Schedule {
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(lengths[i]));
        let longest = order.first().map_or(0, |&i| lengths[i]);
        let mut first_row = vec![0];
        let mut total = 0;
        for s in 0..longest {
            total += order.iter().take_while(|&&i| lengths[i] > s).count();
            first_row.push(total);
        }
        Schedule { order, first_row }
    }

    /// Steps of the longest.
    pub fn n_steps(&self) -> usize {
        self.first_row.len() - 1
    }

    /// Sequences that have such a step.
    pub fn n_running(&self, step: usize) -> usize {
        self.first_row[step + 1] - self.first_row[step]
    }

    /// Steps of all sequences.
    pub fn n_rows(&self) -> usize {
        self.first_row[self.n_steps()]
    }
}
