//! Each span's own time, and how long it lies on its trace's critical path: the chain of work that the response waited for.
//!
//! The walk is the usual one (Zhang et al., "CRISP: Critical Path Analysis of Large-Scale Microservice Architectures", USENIX ATC
//! 2022, section 3; Jaeger's UI, `TracePage/CriticalPath`): backwards from the end of the root; at each span, the
//! child that ends last is on the path, from there the one that had ended when that child began, and so on; the rest is the span's
//! own. A child is clipped to its parent, since clocks differ. At every moment at most one span is on the path.
//!
//! Nobody waits for a *detached* child: one that begins when its parent is over, or a message's consumer that outlives it. It
//! stands as a root. Of several roots, true ones (without a parent's id) come first, then by start; each is walked
//! only where it goes on after those before it. So the path's length is that of the main root, and what follows its end.

use std::cmp::Reverse;

use weir_proto::otlp::messages::trace::v1::span::SpanKind;

use crate::tree::{Node, Tree};

/// Where a span's time went, in ns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SpanTime {
    /// Its duration less the time in which a child ran.
    pub(crate) self_ns: u64,
    /// Time on the critical path that is in no child on the path. May be more than `self_ns`: a child that ran aside is not on the path.
    pub(crate) critical_path_ns: u64,
    /// Whether the path leads through it, be it that all of the time is spent further down.
    pub(crate) on_critical_path: bool,
}

/// Of every span of a trace.
pub(crate) fn of_trace(nodes: &[Node], tree: &Tree) -> Vec<SpanTime> {
    let mut times: Vec<SpanTime> = Vec::with_capacity(nodes.len());
    let mut roots = Vec::new();
    for (span, node) in (0..).zip(nodes) {
        times.push(SpanTime { self_ns: self_ns(nodes, tree, span), ..SpanTime::default() });
        if tree.parent(span).is_none_or(|parent| is_detached(node, &nodes[parent as usize])) {
            roots.push(span);
        }
    }
    roots.sort_by_key(|&root| {
        let node = &nodes[root as usize];
        (node.parent_id.is_some(), node.start_ns, Reverse(node.end_ns), root)
    });
    let mut covered_ns = 0;
    for root in roots {
        walk(nodes, tree, root, covered_ns, &mut times);
        covered_ns = covered_ns.max(nodes[root as usize].end_ns);
    }
    times
}

/// Of the spans below `root`, as if it were the only root: where the time of one call went. Own times are not computed.
pub(crate) fn of_call(nodes: &[Node], tree: &Tree, root: u32, times: &mut [SpanTime]) {
    walk(nodes, tree, root, 0, times);
}

/// Whether a parent cannot have waited for this child.
fn is_detached(child: &Node, parent: &Node) -> bool {
    let outlives = child.end_ns > parent.end_ns;
    outlives && (child.start_ns >= parent.end_ns || child.kind == SpanKind::Consumer as i32)
}

/// A span's duration less the union of its children, clipped to it.
fn self_ns(nodes: &[Node], tree: &Tree, span: u32) -> u64 {
    let node = &nodes[span as usize];
    let mut children = Vec::with_capacity(tree.children(span).len());
    for child in tree.children(span).iter().map(|&child| &nodes[child as usize]) {
        let (start_ns, end_ns) = (child.start_ns.max(node.start_ns), child.end_ns.min(node.end_ns));
        if start_ns < end_ns && !is_detached(child, node) {
            children.push((start_ns, end_ns));
        }
    }
    children.sort_unstable();
    let (mut in_children_ns, mut covered_ns) = (0, 0);
    for (start_ns, end_ns) in children {
        in_children_ns += end_ns.saturating_sub(start_ns.max(covered_ns));
        covered_ns = covered_ns.max(end_ns);
    }
    node.duration_ns() - in_children_ns
}

/// A span on the way.
struct Step {
    span: u32,
    /// Where the part of the span begins that counts: later than its own start when its parent began later.
    floor_ns: u64,
    /// From here to the end all is accounted for.
    cursor_ns: u64,
    /// Children still to look at, the one that ends last at the end: clipped start, clipped end, which.
    children: Vec<(u64, u64, u32)>,
}

impl Step {
    /// A span within a window that is not empty.
    fn new(nodes: &[Node], tree: &Tree, span: u32, floor_ns: u64, end_ns: u64) -> Self {
        let node = &nodes[span as usize];
        let mut children = Vec::new();
        for &position in tree.children(span) {
            let child = &nodes[position as usize];
            let clipped = (child.start_ns.max(floor_ns), child.end_ns.min(end_ns), position);
            if clipped.0 < clipped.1 && !is_detached(child, node) {
                children.push(clipped);
            }
        }
        // Of those that end with the window, the one that outlives it least, the longest, the first.
        children.sort_unstable_by_key(|&(start_ns, clipped_ns, position)| {
            let child_ns = nodes[position as usize].end_ns;
            (clipped_ns, Reverse(child_ns), Reverse(start_ns), Reverse(position))
        });
        Self { span, floor_ns, cursor_ns: end_ns, children }
    }
}

/// Walks backwards from the end of `root` to its start, or to `floor_ns` if that is later. Deep traces need no deep stack.
fn walk(nodes: &[Node], tree: &Tree, root: u32, floor_ns: u64, times: &mut [SpanTime]) {
    let node = &nodes[root as usize];
    let floor_ns = floor_ns.max(node.start_ns);
    if floor_ns >= node.end_ns {
        return;
    }
    let mut steps = vec![Step::new(nodes, tree, root, floor_ns, node.end_ns)];
    while let Some(step) = steps.last_mut() {
        let time = &mut times[step.span as usize];
        time.on_critical_path = true;
        let Some((start_ns, end_ns, child)) = step.children.pop() else {
            time.critical_path_ns += step.cursor_ns - step.floor_ns;
            steps.pop();
            continue;
        };
        // It ran beside what is on the path already.
        if end_ns > step.cursor_ns {
            continue;
        }
        time.critical_path_ns += step.cursor_ns - end_ns;
        step.cursor_ns = start_ns;
        steps.push(Step::new(nodes, tree, child, start_ns, end_ns));
    }
}

#[cfg(test)]
mod tests;
