//! Tests of ID numbers through the public interface. Every number is made up, or printed in a standard or manual.

use time::Date;
use time::macros::date;

use super::{Answer, Holder, IdNumber, IdNumberError, Origin, OtherDocument, check_digit};
use crate::gender::Gender;

const TODAY: Date = date!(2026 - 11 - 23);

/// 17 digits with their check digit.
fn complete(body: &str) -> String {
    let digits = body.as_bytes().try_into().unwrap();
    format!("{body}{}", check_digit(digits).unwrap())
}

fn read(text: &str) -> IdNumber {
    IdNumber::parse(text, TODAY).unwrap()
}

fn check_reason(text: &str, expected: &str) {
    assert_eq!(IdNumber::parse(text, TODAY).unwrap_err().reason(), expected, "{text:?}");
}

fn check_warnings(text: &str, expected: &[&str]) {
    let names: Vec<&str> = read(text).warnings(TODAY).into_iter().map(|warning| warning.name()).collect();
    assert_eq!(names, expected, "{text}");
}

/// Lenient reading gives the number, and says whether it had to change the text and take letters for digits.
fn check_lenient(text: &str, expected: &str, normalized: bool, look_alikes: bool) {
    let read = IdNumber::parse_lenient(text, TODAY).unwrap();
    assert_eq!(read.number.reveal(), expected, "{text:?}");
    assert_eq!((read.normalized, read.look_alikes), (normalized, look_alikes), "{text:?}");
}

#[test]
fn accepts_the_standards_example_with_x() {
    assert_eq!(check_digit(b"34052419800101001"), Some('X'));
    assert_eq!(check_digit(b"3405241980010100X"), None);
    let number = read("34052419800101001X");
    assert_eq!(number.birth_date(), date!(1980 - 01 - 01));
    assert_eq!(number.gender(), Gender::Male);
    assert_eq!(number.address_code(), 340_524);
    assert_eq!(number.holder(), Holder::Mainland);
    assert_eq!(number.origin(), Origin::Eighteen);
    assert_eq!(read("34052419800101001x"), number);
}

#[test]
fn answers_the_documented_example() {
    let outcome = IdNumber::parse_lenient("330825197801104539", TODAY);
    assert_eq!(
        serde_json::to_string(&Answer::documented(&outcome)).unwrap(),
        r#"{"status":"ok","message":{"id":"330825197801104539","birthday":"1978-01-10T00:00:00Z","gender":"male","province":"浙江省","city":"衢州市","county":"龙游县"}}"#
    );
    let outcome = IdNumber::parse_lenient("330825197801104538", TODAY);
    assert_eq!(
        serde_json::to_string(&Answer::documented(&outcome)).unwrap(),
        r#"{"status":"fail","message":"checksum not correct"}"#
    );
    let detailed = serde_json::to_value(Answer::detailed(&outcome, TODAY)).unwrap();
    assert_eq!(detailed["reason"], "checksum");
    assert_eq!(detailed["parsed"]["expected_check_digit"], "9");
    assert_eq!(detailed["parsed"]["county"], "龙游县");
}

#[test]
fn adds_details_beside_the_documented_answer() {
    let outcome = IdNumber::parse_lenient(&complete("51020219800101002"), TODAY);
    let answer = serde_json::to_value(Answer::detailed(&outcome, TODAY)).unwrap();
    assert_eq!(answer["message"]["province"], "四川省");
    assert_eq!(answer["today"]["codes"], serde_json::json!([500_103]));
    assert_eq!(answer["today"]["county"], "渝中区");
    assert_eq!(answer["holder"], "mainland");
    assert_eq!(answer["warnings"], serde_json::json!([]));
}

#[test]
fn names_the_reason_of_every_invalid_number() {
    check_reason("", "length");
    check_reason("34052419800101001", "length");
    check_reason("34052419800101001X0", "length");
    check_reason(" 34052419800101001X", "length");
    check_reason("3405241980O101001X", "character");
    check_reason("X40524198001010010", "character");
    check_reason("11010149010100X", "character");
    check_reason(&complete("01010119900101001"), "province");
    check_reason(&complete("99010119900101001"), "province");
    check_reason(&complete("34052419800230001"), "date");
    check_reason(&complete("34052419010229001"), "date");
    check_reason(&complete("34052419801301001"), "date");
    check_reason(&complete("34052419800100001"), "date");
    check_reason(&complete("34052417991231001"), "date");
    check_reason(&complete("34052420261124001"), "future");
    check_reason("340524198001010019", "checksum");
    assert!(IdNumber::parse(&complete("34052420261123001"), TODAY).is_ok(), "born today");
    assert!(IdNumber::parse(&complete("34052420000229001"), TODAY).is_ok(), "leap day");
}

#[test]
fn counts_characters_of_text_beyond_ascii() {
    check_reason("一二三四五六", "length"); // 18 bytes
    check_reason("一二三四五", "length"); // 15 bytes
    check_reason("３４０５２４１９８００１０１００１Ｘ", "character");
    check_reason(&"9".repeat(1_000_000), "length");
}

#[test]
fn recognises_other_documents_by_shape() {
    for (text, document) in [
        ("A123456(3)", OtherDocument::HongKongId),
        ("AB123456A", OtherDocument::HongKongId),
        ("a1234563", OtherDocument::HongKongId),
        ("1234567(8)", OtherDocument::MacauId),
        ("A123456789", OtherDocument::TaiwanId),
        ("H12345678", OtherDocument::TravelPermit),
        ("M1234567801", OtherDocument::TravelPermit),
        ("E12345678", OtherDocument::Passport),
        ("EA1234567", OtherDocument::Passport),
        ("USA110190010112", OtherDocument::OldForeignerCard),
    ] {
        assert_eq!(IdNumber::parse(text, TODAY), Err(IdNumberError::OtherDocument(document)), "{text}");
        assert_eq!(IdNumber::parse_lenient(text, TODAY), Err(IdNumberError::OtherDocument(document)), "{text}");
    }
}

#[test]
fn reads_the_parts_despite_a_wrong_check_digit() {
    let Err(IdNumberError::Checksum(misprint)) = IdNumber::parse("340524198001010019", TODAY) else {
        panic!("expected a checksum error");
    };
    assert_eq!(misprint.expected_check_digit(), 'X');
    assert_eq!(misprint.birth_date(), date!(1980 - 01 - 01));
    assert_eq!(misprint.region().at_issue().province, Some("安徽省"));
    assert_eq!(misprint.reveal(), "340524198001010019");
}

#[test]
fn upgrades_fifteen_digits() {
    let number = read("340524800101001");
    assert_eq!(number.reveal(), "34052419800101001X");
    assert_eq!(number.origin(), Origin::Fifteen { century_inferred: false });
    assert_eq!(read("110101050101002").birth_date(), date!(1905 - 01 - 01));
}

#[test]
fn infers_the_century_of_centenarians_on_fifteen_digits() {
    let number = read("110101850101996");
    assert_eq!(number.birth_date(), date!(1885 - 01 - 01));
    assert_eq!(number.gender(), Gender::Female);
    assert_eq!(number.origin(), Origin::Fifteen { century_inferred: true });
    check_warnings("110101850101996", &["age", "century_inferred"]);
    assert_eq!(read("110101050101999").birth_date(), date!(1905 - 01 - 01));
    check_warnings("110101050101999", &["century_inferred"]);
    assert_eq!(read(&complete("11010119850101996")).birth_date(), date!(1985 - 01 - 01));
}

#[test]
fn warnings_do_not_refuse_a_number() {
    check_warnings("330825197801104539", &[]);
    check_warnings("34052419800101001X", &["region_unknown"]); // the standard's example names no real county
    check_warnings(&complete("33089919900101001"), &["region_unknown"]);
    check_warnings(&complete("51020219980101001"), &["region_not_at_time"]);
    check_warnings(&complete("42900419850101001"), &[]); // 仙桃市 since 1994, numbered late
    check_warnings(&complete("50015720100101001"), &["region_not_at_time"]); // 两江新区 since 2025
    check_warnings(&complete("11010118800101001"), &["age"]);
    let unknown = read(&complete("33089919900101001"));
    assert_eq!(unknown.require_region().unwrap_err().reason(), "region_unknown");
    let late = read(&complete("51020219980101001"));
    assert_eq!(late.require_region().unwrap_err().reason(), "region_not_at_time");
    let known = read("330825197801104539");
    assert_eq!(known.require_region(), Ok(known));
}

#[test]
fn tells_residents_of_hong_kong_macau_and_taiwan_apart() {
    for (code, holder) in
        [("81", Holder::HongKong), ("82", Holder::Macau), ("83", Holder::Taiwan), ("71", Holder::Taiwan)]
    {
        let number = complete(&format!("{code}000019900101001"));
        assert_eq!(read(&number).holder(), holder);
        check_warnings(&number, &[]);
    }
    check_warnings(&complete("81010119900101001"), &["region_unknown"]);
}

#[test]
fn reads_province_and_nationality_of_foreigners() {
    let number = read(&complete("93284019800101001"));
    let holder = Holder::ForeignPermanentResident { province: "江苏省", nationality: 840 };
    assert_eq!(number.holder(), holder);
    let place = number.region().at_issue();
    assert_eq!((place.province, place.city, place.county), (Some("江苏省"), None, None));
    assert_eq!(number.warnings(TODAY), []);
}

#[test]
fn lenient_parsing_maps_look_alikes_of_digits() {
    const PLAIN: &str = "34052419800101001X";
    check_lenient(PLAIN, PLAIN, false, false);
    check_lenient("34052419800101001x", PLAIN, false, false);
    check_lenient("340524800101001", PLAIN, false, false);
    check_lenient("  340524 19800101-001X\r\n", PLAIN, true, false);
    check_lenient("\u{feff}340524\u{3000}19800101\u{a0}001\u{200b}X", PLAIN, true, false);
    check_lenient("３４０５２４１９８００１０１００１ｘ", PLAIN, true, false);
    for x in ["Ⅹ", "ⅹ", "Х", "х", "×", "*", "＊"] {
        check_lenient(&format!("34052419800101001{x}"), PLAIN, true, false);
    }
    check_lenient("34O5241980O10l0O1X", PLAIN, true, true);
}

#[test]
fn lenient_parsing_takes_no_letters_without_a_check_digit() {
    for (text, reason) in [
        ("34O524800101001", "character"),
        ("34052419800101*01X", "character"),
        ("34052419800101四01X", "character"),
        ("34052419 8001 0100 19", "checksum"),
        ("340524198001010011X", "length"),
        (" - ", "length"),
    ] {
        assert_eq!(IdNumber::parse_lenient(text, TODAY).unwrap_err().reason(), reason, "{text}");
    }
}

#[test]
fn age_increases_on_the_birthday() {
    let number = read("34052419800101001X");
    assert_eq!(number.age_on(date!(2025 - 12 - 31)), 45);
    assert_eq!(number.age_on(date!(2026 - 01 - 01)), 46);
    assert_eq!(number.age_on(date!(1979 - 01 - 01)), 0);
    let leap_day = read(&complete("34052420000229001"));
    assert_eq!(leap_day.age_on(date!(2001 - 02 - 28)), 0);
    assert_eq!(leap_day.age_on(date!(2001 - 03 - 01)), 1);
}

#[test]
fn masks_the_number_unless_revealed() {
    let number = read("34052419800101001X");
    assert_eq!(number.to_string(), "34**************1X");
    assert_eq!(format!("{number:?}"), "IdNumber(34**************1X)");
    let error = IdNumber::parse("340524198001010019", TODAY).unwrap_err();
    assert_eq!(format!("{error:?}"), "Checksum(Misprint(34**************19))");
    assert_eq!(error.to_string(), "checksum not correct");
}
