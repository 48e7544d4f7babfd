//! The operations of the traffic: how often each comes, and how long it usually takes.

/// An operation that traces begin with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    /// Of the root span.
    pub(super) name: &'static str,
    /// Whose it is.
    pub(super) service: &'static str,
    /// Traces of it among 100,000.
    pub(super) per_100_000: u64,
    /// How long it usually takes, ± 20 %.
    pub(super) usual_ns: u64,
}

const fn operation(name: &'static str, service: &'static str, per_100_000: u64, usual_ms: u64) -> Operation {
    Operation { name, service, per_100_000, usual_ns: usual_ms * 1_000_000 }
}

/// Every operation: the most frequent one comes 400 times as often as the least.
pub(super) const OPERATIONS: [Operation; 12] = [
    operation("GET /", "web", 40_000, 4),
    operation("GET /product", "web", 20_000, 12),
    operation("GET /search", "search", 15_000, 45),
    operation("GET /cart", "cart", 10_000, 8),
    operation("POST /cart", "cart", 6_000, 20),
    operation("GET /recommendations", "search", 4_000, 150),
    operation("POST /checkout", "checkout", 2_500, 250),
    operation("GET /orders", "checkout", 1_200, 60),
    operation("POST /login", "web", 700, 90),
    operation("POST /return", "checkout", 300, 120),
    operation("PUT /address", "web", 200, 15),
    operation("DELETE /account", "web", 100, 400),
];

/// What lies below a root, with its service and how long it usually takes.
pub(super) const STEPS: [(&str, &str, u64); 4] = [
    ("authorise", "identity", 900_000),
    ("SELECT items", "catalogue", 2_000_000),
    ("GET cache", "catalogue", 200_000),
    ("render", "web", 1_500_000),
];

/// A span that comes when its trace is decided.
pub(super) const LATE_STEP: (&str, &str, u64) = ("flush", "identity", 300_000);

/// A rare operation's name begins with this.
pub(super) const RARE: &str = "POST /admin/";

/// The operation that the `draw`th of 100,000 traces has.
pub(super) fn drawn(mut draw: u64) -> usize {
    for (index, operation) in OPERATIONS.iter().enumerate() {
        if draw < operation.per_100_000 {
            return index;
        }
        draw -= operation.per_100_000;
    }
    OPERATIONS.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_as_often_as_it_says() {
        let mut found = [0; OPERATIONS.len()];
        for draw in 0..100_000 {
            found[drawn(draw)] += 1;
        }
        assert_eq!(found, OPERATIONS.map(|operation| operation.per_100_000));
    }
}
