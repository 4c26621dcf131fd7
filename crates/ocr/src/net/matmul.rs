//! The matrix product, on the calling thread.

use gemm::Parallelism;

/// The sizes of a product: [rows, inner] times [inner, columns].
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub(crate) rows: usize,
    pub(crate) inner: usize,
    pub(crate) columns: usize,
}

/// Adds `left` times `right` to `out`; all three row by row without gaps.
///
/// # Panics
/// When a slice has not the length that `sizes` gives it.
pub(crate) fn multiply_add(out: &mut [f32], left: &[f32], right: &[f32], sizes: Product) {
    let Product { rows, inner, columns } = sizes;
    assert_eq!(left.len(), rows * inner, "left factor");
    assert_eq!(right.len(), inner * columns, "right factor");
    assert_eq!(out.len(), rows * columns, "product");
    #[expect(unsafe_code, reason = "gemm takes pointers; candle's safe wrapper spreads over threads")]
    // SAFETY: all three matrices are dense and row-major, their lengths were checked above, and `out` is borrowed alone.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            out.as_mut_ptr(),
            1,
            columns as isize,
            true,
            left.as_ptr(),
            1,
            inner as isize,
            right.as_ptr(),
            1,
            columns as isize,
            1.0_f32,
            1.0_f32,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
