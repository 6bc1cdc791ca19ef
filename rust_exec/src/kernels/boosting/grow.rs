//! Growth of one tree, best leaf first. Input: packed gradients of rows. Output: the tree, and
//! which rows are in which leaf.
//!
//! A depth-wise tree without a limit to its leaves is the same tree. The smaller child's
//! histograms are filled from its rows, the other's are what the parent has beyond them.

use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::PoisonError;

use super::candidates::{Best, Waiting};
use super::histogram::{CELLS, Cells, Input, add, subtract};
use super::layout::Group;
use super::nodes::{Gradients, Grown, Leaf};
use super::options::{Library, Options};
use super::sample::Random;
use super::shelf::{Shelf, shelves};
use super::split::{Node, Rules, Search};
use super::tree::{Split, Tree};
use crate::kernels::trees::bins::Bins;
use crate::kernels::workers::Workers;

/// Most bytes of histograms that are kept for later subtraction.
const KEPT: usize = 1 << 28;
/// The place of histograms that are not kept.
const SPARE: usize = 0;
/// Additions below which starting threads costs more than they save.
const WORTH_THREADS: usize = 1 << 17;

/// Grows trees on one set of features.
pub struct Grower<'a> {
    bins: &'a Bins,
    groups: &'a [Group],
    shelves: Vec<Shelf>,
    workers: &'a Workers,
    places: usize,
}

impl<'a> Grower<'a> {
    pub fn new(
        bins: &'a Bins,
        groups: &'a [Group],
        used: &dyn Fn(u32) -> bool,
        workers: &'a Workers,
    ) -> Self {
        let shelves = shelves(bins, groups, used);
        let width: usize = shelves.iter().map(|shelf| shelf.tile.width).sum();
        let places = KEPT / (width * size_of::<Cells>()).max(1);
        Self {
            bins,
            groups,
            shelves,
            workers,
            places: places.max(3),
        }
    }

    /// Grows a tree on `rows`, which come back in the order of its leaves. `whole` says that they
    /// are all rows in their own order; `random` draws features, where nodes do.
    pub fn grow(
        &self,
        gradients: Gradients<'_>,
        options: &Options,
        random: &mut Random,
        rows: &mut [u32],
        spare: &mut [u32],
        whole: bool,
    ) -> Grown {
        let rules = Rules::of(options, gradients.constant, rows.len());
        let sum = |rows: &[u32]| {
            let each = rows.iter().map(|&row| gradients.packed[row as usize]);
            each.fold(0i64, i64::wrapping_add)
        };
        let mut growth = Growth {
            grower: self,
            gradients,
            rules,
            options,
            random,
            free: Vec::new(),
            used: 1,
            splits: Vec::new(),
            leaves: vec![Leaf {
                rows: 0..rows.len(),
                total: sum(rows),
                depth: 0,
                place: None,
                found: None,
                more_l2: 0.0,
                open: Vec::new(),
                above: None,
            }],
            waiting: BinaryHeap::new(),
        };
        growth.root(rows, whole);
        while growth.leaves.len() < options.leaves {
            let Some(next) = growth.waiting.pop() else {
                break;
            };
            growth.split(next.leaf, rows, spare);
        }
        let value = |leaf: &Leaf| {
            let (first, second) = gradients.packing.unpack(leaf.total);
            rules.value(first, second + leaf.more_l2)
        };
        Grown {
            tree: Tree {
                values: growth.leaves.iter().map(value).collect(),
                splits: growth.splits,
            },
            leaves: growth.leaves,
        }
    }

    /// The best split of a node whose histograms are filled from `rows`, and that of its sibling,
    /// whose histograms are those in `parent` beyond them and stay there.
    fn measure(
        &self,
        growth: &Growth<'_, '_>,
        rows: Option<&[u32]>,
        node: Node,
        place: usize,
        parent: Option<(usize, Node)>,
        open: (&[u16], &[u16]),
    ) -> (Best, Best) {
        let packed = growth.gradients.packed;
        let gathered: Vec<i64>;
        let values = match rows {
            None => packed,
            Some(rows) => {
                gathered = rows.iter().map(|&row| packed[row as usize]).collect();
                &gathered
            }
        };
        let ones = vec![
            1;
            if growth.rules.counts() {
                values.len()
            } else {
                0
            }
        ];
        let inputs = |values: &[i64]| -> Vec<Input> {
            let groups = self.groups.iter();
            groups.map(|group| Input::of(group, rows, values)).collect()
        };
        let sets = [(inputs(values), values), (inputs(&ones), &ones)];
        let sets = &sets[..growth.sets()];
        let work = |at: usize| {
            let shelf = &self.shelves[at];
            if growth.options.library == Library::LightGbm && open.0[at] | open.1[at] == 0 {
                return ((None, 0), (None, 0));
            }
            let mut pool = shelf.pool.lock().unwrap_or_else(PoisonError::into_inner);
            let width = shelf.tile.width;
            let most = place.max(parent.map_or(0, |(place, _)| place));
            if pool.len() <= most {
                pool.resize_with(most + 1, Vec::new);
            }
            let mut cells = std::mem::take(&mut pool[place]);
            cells.clear();
            cells.resize(width * sets.len(), [0; CELLS]);
            for (cells, (inputs, values)) in cells.chunks_mut(width).zip(sets) {
                match &inputs[shelf.group] {
                    Input::Rows => add(cells, &shelf.tile, rows, values),
                    Input::Sums(sums) => add(cells, &shelf.tile, None, sums),
                    Input::Codes(codes) => add(cells, &shelf.tile, Some(codes), values),
                }
            }
            let seek = |cells: &[Cells], node: Node, open: u16| {
                let search = Search {
                    cells: &cells[..width],
                    counts: (sets.len() > 1).then(|| &cells[width..]),
                    features: &shelf.features,
                    open,
                    node,
                    rules: &growth.rules,
                    packing: &growth.gradients.packing,
                };
                if open != 0 && growth.may_split(&node) {
                    search.run(shelf.unordered)
                } else {
                    (None, 0)
                }
            };
            let sibling = parent.map_or((None, 0), |(place, node)| {
                let above = &mut pool[place];
                subtract(above, &cells);
                seek(above, node, open.1[at])
            });
            let own = seek(&cells, node, open.0[at]);
            pool[place] = cells;
            (own, sibling)
        };
        let additions = node.rows * self.shelves.len();
        let found = if additions < WORTH_THREADS {
            (0..self.shelves.len()).map(work).collect()
        } else {
            self.workers.map(self.shelves.len(), work)
        };
        let (own, sibling): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        (Best::of(own), Best::of(sibling))
    }
}

struct Growth<'g, 'a> {
    grower: &'g Grower<'a>,
    gradients: Gradients<'g>,
    rules: Rules,
    options: &'g Options,
    random: &'g mut Random,
    /// Places of histograms that are free again, and how many were ever used.
    free: Vec<usize>,
    used: usize,
    splits: Vec<Split>,
    leaves: Vec<Leaf>,
    waiting: BinaryHeap<Waiting>,
}

impl Growth<'_, '_> {
    fn root(&mut self, rows: &[u32], whole: bool) {
        let all = vec![u16::MAX; self.grower.shelves.len()];
        self.leaves[0].open = self.drawn().unwrap_or(all);
        let node = self.node(0);
        if !self.may_split(&node) {
            return;
        }
        let place = self.place();
        let given = (!whole).then_some(rows);
        let at = place.unwrap_or(SPARE);
        let open = self.leaves[0].open.as_slice();
        let open = (open, open);
        let (found, _) = self.grower.measure(self, given, node, at, None, open);
        self.keep(0, place, found);
    }

    /// By tile and bit: the features that are drawn for a node, if they are.
    fn drawn(&mut self) -> Option<Vec<u16>> {
        let all = self.grower.bins.features;
        let wanted = self.options.columns(all);
        if self.options.library != Library::Histogram || wanted >= all {
            return None;
        }
        let mut used = vec![false; all];
        let chosen = self.random.choose(all, wanted);
        chosen.iter().for_each(|&f| used[f as usize] = true);
        let bits = |shelf: &Shelf| shelf.bits(&|f| used[f as usize]);
        Some(self.grower.shelves.iter().map(bits).collect())
    }

    /// Histograms of a feature: of gradients, and of rows if they are counted.
    fn sets(&self) -> usize {
        1 + usize::from(self.rules.counts())
    }

    /// Splits a leaf: its left side takes its number, the right one is the last leaf.
    fn split(&mut self, leaf: usize, rows: &mut [u32], spare: &mut [u32]) {
        let here = self.leaves[leaf].clone();
        let Some(found) = here.found else { return };
        let mut split = Split {
            feature: found.feature,
            threshold: found.threshold,
            codes: found.codes,
            missing_left: found.missing_left.unwrap_or(false),
            left: -1 - leaf as i32,
            right: -1 - self.leaves.len() as i32,
        };
        let column = self.grower.bins.column(found.feature as usize);
        let range = here.rows.clone();
        let left = split.partition(column, &mut rows[range.clone()], spare);
        let middle = range.start + left;
        if found.missing_left.is_none() {
            let library = self.options.library;
            split.missing_left = found.unseen_left(library, self.grower.bins, left, range.len());
        }
        let number = self.splits.len();
        if let Some((above, is_left)) = here.above {
            let above = &mut self.splits[above];
            *(if is_left {
                &mut above.left
            } else {
                &mut above.right
            }) = number as i32;
        }
        self.splits.push(split);
        let open = (self.drawn(), self.drawn());
        let child = |rows: Range<usize>, total: i64, is_left: bool, open: Option<Vec<u16>>| Leaf {
            rows,
            total,
            depth: here.depth + 1,
            place: None,
            found: None,
            more_l2: found.more_l2,
            open: open.unwrap_or_else(|| here.open.clone()),
            above: Some((number, is_left)),
        };
        let rest = here.total.wrapping_sub(found.left);
        self.leaves[leaf] = child(range.start..middle, found.left, true, open.0);
        self.leaves
            .push(child(middle..range.end, rest, false, open.1));
        let right = self.leaves.len() - 1;
        let left_is_small = left <= range.len() - left;
        let (small, large) = if left_is_small {
            (leaf, right)
        } else {
            (right, leaf)
        };
        self.children(small, large, here.place, rows);
    }

    fn children(&mut self, small: usize, large: usize, parent: Option<usize>, rows: &[u32]) {
        let (few, many) = (self.node(small), self.node(large));
        let enough = self.leaves.len() >= self.options.leaves
            || self.leaves[small].depth >= self.options.depth;
        let wanted = (
            !enough && self.may_split(&few),
            !enough && self.may_split(&many),
        );
        if let (Some(above), true) = (parent, wanted.1) {
            let place = if wanted.0 { self.place() } else { None };
            let part = &rows[self.leaves[small].rows.clone()];
            let at = place.unwrap_or(SPARE);
            let sibling = Some((above, many));
            let open = |leaf: usize| self.leaves[leaf].open.as_slice();
            let open = (open(small), open(large));
            let (own, other) = self
                .grower
                .measure(self, Some(part), few, at, sibling, open);
            self.keep(small, place, own);
            self.keep(large, Some(above), other);
            return;
        }
        // Nothing to subtract from, or no use for the difference.
        self.free.extend(parent);
        for (leaf, node, wanted) in [(small, few, wanted.0), (large, many, wanted.1)] {
            if wanted {
                let place = self.place();
                let part = &rows[self.leaves[leaf].rows.clone()];
                let at = place.unwrap_or(SPARE);
                let open = self.leaves[leaf].open.as_slice();
                let open = (open, open);
                let (own, _) = self.grower.measure(self, Some(part), node, at, None, open);
                self.keep(leaf, place, own);
            }
        }
    }

    fn keep(&mut self, leaf: usize, place: Option<usize>, best: Best) {
        match best.found {
            Some(found) => {
                let here = &mut self.leaves[leaf];
                here.found = Some(found);
                here.place = place;
                if self.options.library == Library::LightGbm {
                    here.open = best.open;
                }
                let gain = found.gain;
                self.waiting.push(Waiting { gain, leaf });
            }
            None => self.free.extend(place),
        }
    }

    fn place(&mut self) -> Option<usize> {
        self.free.pop().or_else(|| {
            let next = self.used;
            (next < self.grower.places / self.sets()).then(|| {
                self.used += 1;
                next
            })
        })
    }

    fn node(&self, leaf: usize) -> Node {
        let leaf = &self.leaves[leaf];
        Node {
            rows: leaf.rows.len(),
            total: leaf.total,
        }
    }

    /// Whether two sides could each have what a leaf must have.
    fn may_split(&self, node: &Node) -> bool {
        let (_, second) = self.gradients.packing.unpack(node.total);
        let least = self.rules.least();
        node.rows >= 2 * self.options.leaf_rows.max(1) && second >= 2.0 * least
    }
}
