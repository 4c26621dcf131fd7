//! Tests of `shenfen check` from bytes to bytes.

use std::io::BufReader;

use serde_json::Value;
use time::macros::date;

use super::{Format, LINE_LIMIT, Report, Rules};

fn report(input: &[u8], format: Format, lenient: bool, strict_region: bool) -> (String, bool) {
    let rules = Rules { lenient, strict_region, today: date!(2026 - 11 - 23) };
    let mut report = Report::new(Vec::new(), format, rules);
    // A small buffer, so that lines cross its end.
    report.check_lines(&mut BufReader::with_capacity(7, input)).unwrap();
    let all_ok = report.all_ok;
    (String::from_utf8(report.out.into_inner().unwrap()).unwrap(), all_ok)
}

fn json_lines(input: &[u8]) -> Vec<Value> {
    report(input, Format::Json, false, false).0.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_line_gets_one_result() {
    let input = b"330825197801104539\r\n\n330825197801104538\n\xb1\xb1\xbe\xa9\nA123456(3)\n110101900101001";
    let lines = json_lines(input);
    let reasons: Vec<_> = lines.iter().map(|line| line["reason"].as_str().unwrap_or("ok")).collect();
    assert_eq!(reasons, ["ok", "length", "checksum", "length", "other_document", "ok"]);
    assert_eq!(lines[0]["message"]["county"], "龙游县");
    assert_eq!(lines[2]["message"], "checksum not correct");
    assert_eq!(lines[2]["input"], "330825197801104538");
    assert_eq!(lines[5]["upgraded"], true);
}

#[test]
fn empty_input_gives_no_output() {
    assert_eq!(report(b"", Format::Json, false, false), (String::new(), true));
}

#[test]
fn ignores_a_byte_order_mark() {
    assert_eq!(json_lines(b"\xef\xbb\xbf330825197801104539")[0]["status"], "ok");
    assert_eq!(json_lines(b"\n\xef\xbb\xbf330825197801104539")[1]["status"], "fail");
}

#[test]
fn truncates_an_endless_line() {
    let lines = json_lines(&b"1".repeat(10 * LINE_LIMIT));
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["reason"], "length");
    assert_eq!(lines[0]["input"].as_str().unwrap().len(), LINE_LIMIT);
}

#[test]
fn lenient_and_strict_region_change_the_result() {
    let spaced = b"330825 19780110 4539\n";
    assert!(!report(spaced, Format::Json, false, false).1);
    let (line, all_ok) = report(spaced, Format::Json, true, false);
    assert!(all_ok && line.contains(r#""normalized":true"#));
    let unlisted = b"34052419800101001X\n";
    assert!(report(unlisted, Format::Json, false, false).1);
    let (line, all_ok) = report(unlisted, Format::Json, false, true);
    assert!(!all_ok && line.contains(r#""reason":"region_unknown""#));
}

#[test]
fn table_is_aligned_and_hides_control_characters() {
    let (table, _) = report(b"330825197801104539\n\x1b[2J\n510202800101002", Format::Table, false, false);
    let expected = "\
NUMBER              RESULT  BIRTHDAY    GENDER  REGION
330825197801104539  ok      1978-01-10  male    浙江省 衢州市 龙游县
\u{fffd}[2J                fail    length not correct
510202198001010025  ok      1980-01-01  female  四川省 重庆市 市中区  (today 重庆市 渝中区)
";
    assert_eq!(table, expected);
}
