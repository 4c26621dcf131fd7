//! Tests of ID numbers through the public interface.
