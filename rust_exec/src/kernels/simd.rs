//! Vector instructions, chosen at run time: the widest that the processor has.
//!
//! The crate is built for the least processor of its platform. Loops that gain from more are run
//! through [`dispatch`], which compiles them for several instruction sets. They must not depend
//! on the order of floating-point operations beyond what the kernel promises: no instruction set
//! reorders or fuses anything that the source does not.
//!
//! `STRATUM_KERNELS_SIMD` holds our own loops back: `portable`, or `v3` (AVX2) where there is more;
//! it is read once. faer's matrix products choose for themselves, AVX-512 where there is any.

use std::sync::OnceLock;

use pulp::Arch;

const VARIABLE: &str = "STRATUM_KERNELS_SIMD";

/// The instruction set to run with, for `WithSimd` and for closures.
pub fn arch() -> Arch {
    static CHOSEN: OnceLock<Arch> = OnceLock::new();
    *CHOSEN.get_or_init(|| chosen(&std::env::var(VARIABLE).unwrap_or_default()))
}

/// The instruction set to run with where `values` are worked on at a time: vectors that they would
/// not fill half take as long as full ones.
pub fn arch_for(values: usize) -> Arch {
    match arch() {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) if values <= 4 => chosen("v3"),
        arch => arch,
    }
}

/// The instruction set of that name if there is one, or else the widest.
pub fn chosen(name: &str) -> Arch {
    match name {
        "portable" => Arch::Scalar,
        #[cfg(target_arch = "x86_64")]
        "v3" => pulp::x86::V3::try_new().map_or(Arch::Scalar, Arch::V3),
        _ => Arch::new(),
    }
}

/// The name of the instruction set that loops run with.
pub fn level() -> &'static str {
    match arch() {
        Arch::Scalar => "portable",
        #[cfg(target_arch = "x86_64")]
        Arch::V3(_) => "v3",
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) => "v4",
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(_) => "neon",
        #[allow(unreachable_patterns, reason = "more of them on other platforms")]
        _ => "other",
    }
}

/// Runs `work` compiled for the chosen instruction set, as far as it is inlined: mark it, and
/// what its inner loops call, `#[inline(always)]`.
#[inline(always)]
pub fn dispatch<T>(work: impl FnOnce() -> T) -> T {
    arch().dispatch(work)
}

/// Values on a cache line.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 8;

/// Asks for the cache lines of `values`, to be read soon. Changes no value.
#[inline(always)]
pub fn prefetch(values: &[f64]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(sse) = pulp::core_arch::x86::Sse::try_new() {
        const NEAREST: i32 = std::arch::x86_64::_MM_HINT_T0;
        let fetch = |value: &f64| sse._mm_prefetch::<NEAREST>(std::ptr::from_ref(value).cast());
        let mut at = 0;
        while at < values.len() {
            fetch(&values[at]);
            at += LINE;
        }
        // The last value may lie on one line more.
        values.last().into_iter().for_each(fetch);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_chooses_something() {
        for name in ["portable", "v3", "", "no such thing"] {
            let sum = chosen(name).dispatch(|| (0..100).map(f64::from).sum::<f64>());
            assert_eq!(sum, 4950.0);
        }
        assert!(matches!(chosen("portable"), Arch::Scalar));
        assert!(!level().is_empty());
    }
}
