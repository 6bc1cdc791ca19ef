//! Several descents at once, one in each lane of the vectors.
//!
//! Input: equations with a net each. Output: what each descent gives alone, to the last bit: a
//! lane does the operations that `State` does, in their order. Where one descent has nothing to do
//! for a coordinate (it is screened out, or does not move), its lane adds zero. A step of one
//! descent waits for the step before it; several at once share that wait. Lanes whose descent
//! ended go on with the next one.

mod table;
mod vectors;

use pulp::{Simd, WithSimd};

use super::state::{Equations, Gap, One, Rest, State};
use super::{Descent, Net};
use crate::errors::Declined;
use table::{Own, Shared, Table, each, each_mut};
use vectors::Vectors;

/// A net, and the equations that it is fitted to.
pub type Work<'a> = (&'a Equations<'a>, Net);

/// Descents to run: all of them on the same equations, or each on its own.
pub enum Jobs<'a> {
    Shared(&'a [Work<'a>]),
    Own(&'a [Work<'a>]),
}

/// Most coordinates for lanes of their own equations, which then fill the nearest caches.
pub const MOST_OWN: usize = 40;
/// Lanes of the widest vectors that there are.
const MOST_LANES: usize = 8;
/// How many descents take as long one by one as a round of all lanes does.
const PAYING: usize = 2;

type Found = Result<Descent, Declined>;

impl WithSimd for Jobs<'_> {
    type Output = Vec<Found>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<Found> {
        let (Self::Shared(work) | Self::Own(work)) = self;
        let distinct = match self {
            Self::Shared(_) => work.get(..1).unwrap_or_default(),
            Self::Own(_) => work,
        };
        // Zero times a number that is not finite is not zero.
        let finite = |(equations, _): &Work| equations.is_finite();
        let many = S::F64_LANES > 1 && work.len() > PAYING;
        let together = many && distinct.iter().all(finite);
        match (self, distinct) {
            (Self::Shared(_), [(first, _), ..]) if together => {
                Lanes::new(Shared(first), work).run(simd)
            }
            (Self::Own(_), [(first, _), ..]) if together => {
                Lanes::new(Own::<S>::new(first.size()), work).run(simd)
            }
            _ => {
                let alone = |(equations, net): &Work| simd.vectorize(One(equations, *net));
                work.iter().map(alone).collect()
            }
        }
    }
}

struct Lanes<'a, S: Simd, T> {
    vectors: Vectors<S, T>,
    work: &'a [Work<'a>],
    /// Places in `work` that are still to be begun, the next one last.
    queue: Vec<usize>,
    found: Vec<Found>,
    /// By lane: place in `work` and descent, whose own vectors are those it began with.
    states: Vec<Option<(usize, State<'a>)>>,
    /// Coordinates that are active in some lane.
    active: Vec<usize>,
}

impl<'a, S: Simd, T: Table<S>> Lanes<'a, S, T> {
    fn new(table: T, work: &'a [Work<'a>]) -> Self {
        let mut queue: Vec<usize> = (0..work.len()).collect();
        // The smallest penalties take most rounds: begun first, they do not end long after others.
        let l1 = |place: usize| work[place].1.alpha * work[place].1.l1_ratio;
        queue.sort_by(|&a, &b| l1(b).total_cmp(&l1(a)));
        Self {
            vectors: Vectors::new(table, work[0].0.size()),
            work,
            queue,
            found: vec![Err(Declined::Borderline); work.len()],
            states: (0..S::F64_LANES).map(|_| None).collect(),
            active: Vec::new(),
        }
    }

    #[inline(always)]
    fn run(mut self, simd: S) -> Vec<Found> {
        for lane in 0..S::F64_LANES {
            self.begin(lane);
        }
        self.unite();
        while self.states.iter().any(Option::is_some) {
            if !self.pays() {
                for lane in 0..S::F64_LANES {
                    self.run_alone(simd, lane);
                }
                self.unite();
                continue;
            }
            let (change, greatest) = self.vectors.round(simd, &self.active);
            self.judge(simd, each::<S>(&change), each::<S>(&greatest));
        }
        self.found
    }

    /// Begins with the next descent in a lane that has none.
    fn begin(&mut self, lane: usize) {
        while let Some(place) = self.queue.pop() {
            let (equations, net) = self.work[place];
            let mut state = State::new(equations, net);
            match state.begin() {
                Err(reason) => self.found[place] = Err(reason),
                Ok(Some(gap)) => self.found[place] = Ok(state.stopped(gap)),
                Ok(None) => {
                    self.vectors.begin(lane, &state);
                    self.states[lane] = Some((place, state));
                    return;
                }
            }
        }
        self.vectors.clear(lane);
    }

    /// Takes a descent out of its lane.
    fn take(&mut self, lane: usize) -> Option<(usize, State<'a>)> {
        let (place, mut state) = self.states[lane].take()?;
        self.vectors.store(lane, &mut state);
        Some((place, state))
    }

    fn end(&mut self, lane: usize, how: Result<Gap, Declined>) {
        if let Some((place, state)) = self.take(lane) {
            self.found[place] = how.map(|gap| state.stopped(gap));
            self.begin(lane);
        }
    }

    #[inline(always)]
    fn run_alone(&mut self, simd: S, lane: usize) {
        if let Some((place, state)) = self.take(lane) {
            self.found[place] = simd.vectorize(Rest(state));
            self.begin(lane);
        }
    }

    /// Finds the coordinates that are active in some lane.
    fn unite(&mut self) {
        let mut active = vec![false; self.work[0].0.size()];
        for (_, state) in self.states.iter().flatten() {
            state.active.iter().for_each(|&j| active[j] = true);
        }
        self.active.clear();
        self.active.extend((0..active.len()).filter(|&j| active[j]));
    }

    /// Whether a round of all lanes takes less time than a round of each descent alone.
    #[inline(always)]
    fn pays(&self) -> bool {
        let busy = self.states.iter().flatten();
        let alone: usize = busy.map(|(_, state)| state.active.len()).sum();
        alone > PAYING * self.active.len()
    }

    /// What follows a round: descents end, or lose coordinates.
    #[inline(always)]
    fn judge(&mut self, simd: S, change: &[f64], greatest: &[f64]) {
        let mut settled = [false; MOST_LANES];
        let mut ended = false;
        for lane in 0..S::F64_LANES {
            let Some((_, state)) = &mut self.states[lane] else {
                continue;
            };
            state.round += 1;
            match state.settled(change[lane], greatest[lane]) {
                Ok(answer) => settled[lane] = answer,
                Err(reason) => {
                    self.end(lane, Err(reason));
                    ended = true;
                }
            }
        }
        if settled.contains(&true) {
            ended |= self.look(simd, &settled);
        }
        if ended {
            self.unite();
        }
    }

    /// Looks at the gaps of `settled` lanes; whether active coordinates changed.
    #[inline(always)]
    fn look(&mut self, simd: S, settled: &[bool]) -> bool {
        let sums = self.vectors.sums(simd);
        let mut changed = false;
        // Lanes that need no screening pass it.
        let mut reach = simd.splat_f64s(1.0);
        let mut bound = simd.splat_f64s(f64::NEG_INFINITY);
        let mut gaps = [None; MOST_LANES];
        for lane in 0..S::F64_LANES {
            let Some((_, state)) = self.states[lane].as_ref().filter(|_| settled[lane]) else {
                continue;
            };
            let gap = state.gap_of(sums.of(lane));
            match state.reached(gap) {
                Ok(false) => {
                    gaps[lane] = Some(gap);
                    let keeping = state.keeping(gap);
                    each_mut::<S>(&mut reach)[lane] = keeping.map_or(1.0, |k| k.reach);
                    each_mut::<S>(&mut bound)[lane] = keeping.map_or(f64::INFINITY, |k| k.bound);
                }
                ended => {
                    self.end(lane, ended.map(|_| gap));
                    changed = true;
                }
            }
        }
        let least = self.vectors.least(simd, &self.active, reach);
        for (lane, gap) in gaps.into_iter().enumerate() {
            let Some(gap) = gap else {
                continue;
            };
            let kept = each::<S>(&least)[lane] > each::<S>(&bound)[lane];
            let last = self.states[lane]
                .as_ref()
                .is_some_and(|(_, state)| state.is_last());
            if kept && !last {
                continue;
            }
            changed = true;
            let Some((place, mut state)) = self.take(lane) else {
                continue;
            };
            let screened = state.screen(gap);
            let going_on = screened.is_ok() && !last;
            self.vectors.load(lane, &state);
            self.states[lane] = Some((place, state));
            if !going_on {
                self.end(lane, screened.map(|()| gap));
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests;
