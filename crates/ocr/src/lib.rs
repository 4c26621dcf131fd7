//! shenfen-ocr
