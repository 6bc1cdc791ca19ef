//! A tile and its histograms. Input: groups of features. Output: where growth keeps histograms.

use std::sync::Mutex;

use super::categories::unordered;
use super::histogram::Cells;
use super::layout::{Group, Tile};
use crate::kernels::trees::bins::Bins;

type Pool = Vec<Vec<Cells>>;

/// A tile, the group that it belongs to, and its histograms by place.
pub struct Shelf {
    pub group: usize,
    pub tile: Tile,
    /// Features and their numbers of bins.
    pub features: Vec<(u32, usize)>,
    /// By bit: features whose codes have no order.
    pub unordered: u16,
    pub pool: Mutex<Pool>,
}

impl Shelf {
    /// By bit: those of its features that `used` allows.
    pub fn bits(&self, used: &dyn Fn(u32) -> bool) -> u16 {
        let features = self.features.iter().enumerate();
        features.fold(0, |bits, (at, &(f, _))| bits | u16::from(used(f)) << at)
    }
}

/// Shelves of those features of `groups` that `used` allows.
pub fn shelves(bins: &Bins, groups: &[Group], used: &dyn Fn(u32) -> bool) -> Vec<Shelf> {
    let mut found = Vec::new();
    for (group, features) in groups.iter().enumerate() {
        for tile in features.tiles(bins, used) {
            let counted = tile.features.iter().map(|&f| (f, bins.count(f as usize)));
            found.push(Shelf {
                group,
                features: counted.collect(),
                unordered: unordered(bins, &tile.features),
                tile,
                pool: Mutex::default(),
            });
        }
    }
    found
}
