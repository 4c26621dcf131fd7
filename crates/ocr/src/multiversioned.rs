//! One function compiled for several instruction sets, the best of them chosen when the program runs.

/// The instructions to compute with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstructionSet {
    /// AVX-512 with VNNI, which multiplies bytes.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// What every machine of the architecture has.
    Portable,
}

impl InstructionSet {
    /// The levels that this machine has, best first.
    pub(crate) fn available() -> impl Iterator<Item = InstructionSet> {
        #[cfg(target_arch = "x86_64")]
        let levels = [
            (InstructionSet::Avx512, has_avx512()),
            (InstructionSet::Avx2, std::arch::is_x86_feature_detected!("avx2")),
            (InstructionSet::Portable, true),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let levels = [(InstructionSet::Portable, true)];
        levels.into_iter().filter(|&(_, here)| here).map(|(level, _)| level)
    }

    /// The best level of this machine.
    pub(crate) fn best() -> InstructionSet {
        static BEST: std::sync::OnceLock<InstructionSet> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| InstructionSet::available().next().unwrap_or(InstructionSet::Portable))
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512vnni")
}

/// Defines functions whose loops the compiler may turn into the widest vectors of the machine. They give the same bits at
/// every level: no operation is reordered or fused.
macro_rules! multiversioned {
    ($($(#[$doc:meta])* $visibility:vis fn $name:ident $([const $c:ident: $size:ty])? ($($argument:ident: $kind:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {$(
        $(#[$doc])*
        $visibility fn $name$(<const $c: $size>)?($($argument: $kind),*) $(-> $result)? {
            #[inline(always)]
            fn body$(<const $c: $size>)?($($argument: $kind),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
            fn avx512$(<const $c: $size>)?($($argument: $kind),*) $(-> $result)? {
                body$(::<$c>)?($($argument),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2$(<const $c: $size>)?($($argument: $kind),*) $(-> $result)? {
                body$(::<$c>)?($($argument),*)
            }
            match $crate::multiversioned::InstructionSet::best() {
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "calls a function compiled for more instructions than every machine has")]
                // SAFETY: the level exists only where these instructions were found.
                $crate::multiversioned::InstructionSet::Avx512 => unsafe { avx512$(::<$c>)?($($argument),*) },
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "calls a function compiled for more instructions than every machine has")]
                // SAFETY: the level exists only where these instructions were found.
                $crate::multiversioned::InstructionSet::Avx2 => unsafe { avx2$(::<$c>)?($($argument),*) },
                $crate::multiversioned::InstructionSet::Portable => body$(::<$c>)?($($argument),*),
            }
        }
    )*};
}

pub(crate) use multiversioned;
