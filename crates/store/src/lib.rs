//! shenfen-store
