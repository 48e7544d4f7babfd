//! Whose child each span of a trace is, whatever clients got wrong: parents not here, circles, one id on two spans.

use weir_proto::{SpanId, otlp::messages::trace::v1::span::SpanKind};
use weir_store::SpanRecord;

use crate::span_ids::SpanIds;

/// What the shape of a trace is made from: one per span, named by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: Option<SpanId>,
    pub(crate) parent_id: Option<SpanId>,
    pub(crate) start_ns: u64,
    /// Never before the start.
    pub(crate) end_ns: u64,
    /// OTLP SpanKind.
    pub(crate) kind: i32,
}

impl Node {
    /// A row's.
    pub(crate) fn of(row: &SpanRecord) -> Self {
        let span = &row.span;
        Self {
            id: SpanId::from_wire(&span.span_id),
            parent_id: SpanId::from_wire(&span.parent_span_id),
            start_ns: span.start_time_unix_nano,
            end_ns: span.end_time_unix_nano.max(span.start_time_unix_nano),
            kind: span.kind,
        }
    }

    pub(crate) fn duration_ns(&self) -> u64 {
        self.end_ns - self.start_ns
    }

    fn is(&self, kind: SpanKind) -> bool {
        self.kind == kind as i32
    }
}

/// A forest: every span has at most one parent, and following parents ends.
#[derive(Debug)]
pub(crate) struct Tree {
    parents: Vec<Option<u32>>,
    /// Children of all spans, those of one side by side.
    children: Vec<u32>,
    /// Where a span's children begin; one more than there are spans.
    begins: Vec<u32>,
}

/// The spans that carry one id.
#[derive(Debug, Clone, Copy, Default)]
struct Holders {
    first: u32,
    client: Option<u32>,
    server: Option<u32>,
}

impl Tree {
    /// Finds every span's parent by its id. Where a client and a server share one (Zipkin), the client is the server's parent and
    /// the id's children are the server's, as Jaeger shows them; of other spans with one id the first has the children. Of
    /// a circle of parents, the span that starts first becomes a root.
    pub(crate) fn of(nodes: &[Node]) -> Self {
        Self::with(nodes, &SpanIds::of(nodes.iter().map(|node| node.id)))
    }

    /// The same, where the ids are numbered already.
    pub(crate) fn with(nodes: &[Node], ids: &SpanIds) -> Self {
        let mut holders: Vec<Option<Holders>> = vec![None; ids.len()];
        for (position, node) in (0..).zip(nodes) {
            let Some(number) = ids.of_span(position as usize) else { continue };
            let held = holders[number].get_or_insert(Holders { first: position, ..Holders::default() });
            if node.is(SpanKind::Client) {
                held.client.get_or_insert(position);
            } else if node.is(SpanKind::Server) {
                held.server = Some(position);
            }
        }
        let mut parents = Vec::with_capacity(nodes.len());
        for (position, node) in nodes.iter().enumerate() {
            let own = ids.of_span(position).and_then(|number| holders[number].as_ref());
            let client = own.and_then(|held| held.client).filter(|_| node.is(SpanKind::Server));
            let above = node.parent_id.and_then(|id| ids.number(id)).and_then(|number| holders[number].as_ref());
            parents.push(client.or(above.map(Holders::of_children)));
        }
        cut_circles(nodes, &mut parents);
        Self::of_parents(parents)
    }

    fn of_parents(parents: Vec<Option<u32>>) -> Self {
        let mut begins = vec![0u32; parents.len() + 1];
        for &parent in parents.iter().flatten() {
            begins[parent as usize + 1] += 1;
        }
        for position in 1..begins.len() {
            begins[position] += begins[position - 1];
        }
        let mut next = begins.clone();
        let mut children = vec![0; *begins.last().expect("one more than spans") as usize];
        for (position, parent) in (0..).zip(&parents) {
            let Some(parent) = parent else { continue };
            let place = &mut next[*parent as usize];
            children[*place as usize] = position;
            *place += 1;
        }
        Self { parents, children, begins }
    }

    /// A span's parent, when it is here.
    pub(crate) fn parent(&self, span: u32) -> Option<u32> {
        self.parents[span as usize]
    }

    /// A span's children, in the order of the spans.
    pub(crate) fn children(&self, span: u32) -> &[u32] {
        let span = span as usize;
        &self.children[self.begins[span] as usize..self.begins[span + 1] as usize]
    }

    /// Every span, parents before their children.
    pub(crate) fn top_down(&self) -> Vec<u32> {
        let mut order: Vec<u32> = Vec::with_capacity(self.parents.len());
        order.extend((0..).zip(&self.parents).filter(|(_, parent)| parent.is_none()).map(|(root, _)| root));
        self.with_all_below(order)
    }

    /// A span and all that is below it.
    pub(crate) fn below(&self, span: u32) -> Vec<u32> {
        self.with_all_below(vec![span])
    }

    fn with_all_below(&self, mut order: Vec<u32>) -> Vec<u32> {
        let mut next = 0;
        while let Some(&span) = order.get(next) {
            order.extend(self.children(span));
            next += 1;
        }
        order
    }
}

impl Holders {
    /// Who has the children of the id.
    fn of_children(&self) -> u32 {
        match (self.client, self.server) {
            (Some(_), Some(server)) => server,
            _ => self.first,
        }
    }
}

/// Makes a root of one span of each circle: the one that starts first.
fn cut_circles(nodes: &[Node], parents: &mut [Option<u32>]) {
    // The walk on which each span was met first; 0 for none.
    let mut walks = vec![0u32; nodes.len()];
    for (walk, begin) in (1..).zip(0..nodes.len()) {
        let mut at = Some(begin as u32);
        while let Some(span) = at.filter(|&span| walks[span as usize] == 0) {
            walks[span as usize] = walk;
            at = parents[span as usize];
        }
        let Some(met) = at.filter(|&span| walks[span as usize] == walk) else { continue };
        let mut first = met;
        let mut span = parents[met as usize];
        while let Some(other) = span.filter(|&other| other != met) {
            if (nodes[other as usize].start_ns, other) < (nodes[first as usize].start_ns, first) {
                first = other;
            }
            span = parents[other as usize];
        }
        parents[first as usize] = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawn::rows;

    /// Each span's parent by name, `-` for a root.
    fn shape(drawn: &str) -> String {
        let rows = rows(drawn);
        let nodes: Vec<_> = rows.iter().map(Node::of).collect();
        let tree = Tree::of(&nodes);
        let mut lines = Vec::new();
        for (position, row) in (0..).zip(&rows) {
            let parent = tree.parent(position).map_or("-", |parent| &rows[parent as usize].span.name);
            lines.push(format!("{}<{parent}", row.span.name));
        }
        let order = tree.top_down();
        assert_eq!(order.len(), rows.len(), "every span is below a root");
        for (place, &span) in order.iter().enumerate() {
            let before = tree.parent(span).is_none_or(|parent| order[..place].contains(&parent));
            assert!(before, "parents come first: {order:?}");
        }
        lines.join(" ")
    }

    #[test]
    fn by_id() {
        assert_eq!(shape("a 0..9\n  b 1..2\n  c 3..4\n    d 3..4"), "a<- b<a c<a d<c");
    }

    #[test]
    fn a_parent_that_is_not_here() {
        assert_eq!(shape("a 0..9\nb 1..2 parent=77\n  c 1..2"), "a<- b<- c<b");
    }

    #[test]
    fn circles_are_cut_at_their_first_span() {
        assert_eq!(shape("a 5..9 id=1 parent=1"), "a<-");
        assert_eq!(
            shape("a 5..9 id=1 parent=2\nb 3..9 id=2 parent=3\nc 4..9 id=3 parent=1\n  d 4..5"),
            "a<b b<- c<a d<c"
        );
        // What hangs on a circle stays where it is.
        assert_eq!(shape("d 1..9 parent=1\na 5..9 id=1 parent=2\nb 6..9 id=2 parent=1"), "d<a a<- b<a");
    }

    #[test]
    fn a_shared_id_makes_the_server_the_clients_child() {
        let drawn = "web 0..9 server id=1\ncall 1..8 client id=2 parent=1\ncart 2..7 server id=2 parent=1\nsql 3..4 id=3 parent=2";
        assert_eq!(shape(drawn), "web<- call<web cart<call sql<cart");
    }

    #[test]
    fn of_other_spans_with_one_id_the_first_has_the_children() {
        assert_eq!(shape("a 0..9 id=1\na2 0..8 id=1\nb 1..2 parent=1"), "a<- a2<- b<a");
    }
}
