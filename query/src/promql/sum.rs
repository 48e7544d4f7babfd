//! Sums that do not lose small numbers beside large ones (Neumaier's variant of Kahan's).

/// A sum and what it lost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sum {
    pub(crate) sum: f64,
    pub(crate) lost: f64,
}

impl Sum {
    pub(crate) fn of(first: f64) -> Self {
        Self { sum: first, lost: 0.0 }
    }

    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - total) + value;
        } else {
            self.lost += (value - total) + self.sum;
        }
        self.sum = total;
    }

    pub(crate) fn total(self) -> f64 {
        self.sum + self.lost
    }
}

/// An average: of the sum while that does not overflow, then of averages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mean {
    /// The sum, or the average itself.
    sum: Sum,
    count: f64,
    is_incremental: bool,
}

impl Mean {
    pub(crate) fn of(first: f64) -> Self {
        Self { sum: Sum::of(first), count: 1.0, is_incremental: false }
    }

    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.is_incremental {
            let mut sum = self.sum;
            sum.add(value);
            if !sum.sum.is_infinite() {
                self.sum = sum;
                return;
            }
            self.is_incremental = true;
            self.sum.sum /= self.count - 1.0;
            self.sum.lost /= self.count - 1.0;
        }
        let weight = (self.count - 1.0) / self.count;
        self.sum = Sum { sum: weight * self.sum.sum, lost: weight * self.sum.lost };
        self.sum.add(value / self.count);
    }

    pub(crate) fn total(self) -> f64 {
        if self.is_incremental {
            return self.sum.total();
        }
        self.sum.sum / self.count + self.sum.lost / self.count
    }
}
