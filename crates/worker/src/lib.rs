//! shenfen-worker
