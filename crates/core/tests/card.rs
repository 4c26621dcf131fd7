//! What is made of cards as read: corrections under the constraints, contradictions, decisions.

#[path = "card/fixture.rs"]
mod fixture;

use fixture::{NUMBER, TODAY, back, card, check, doubt, field, front, raw, rules, text, with};
use shenfen_core::{
    CardColumns, CardValidity, Decision, Elapsed, FieldName, ModelInfo, PictureResult, Policy, ReadCard, Rule,
    Severity, Side, Status, assess,
};
use time::macros::date;

fn result(assessment: shenfen_core::Assessment) -> PictureResult {
    let model = ModelInfo { name: "test".into(), version: "1".into(), sha256: "00".into() };
    assessment.into_result(model, Elapsed::default())
}

#[test]
fn accepts_two_clean_sides_without_findings() {
    let assessment = check([front(), back()]);
    assert_eq!(rules(&assessment), [""; 0]);
    assert_eq!((assessment.status, assessment.decision), (Status::Ok, Decision::Accept));
    let message: Vec<(&str, &str)> = assessment.message.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(
        message,
        [
            ("authority", "龙游县公安局"),
            ("birthDate", "1993年3月3日"),
            ("birthPlace", "浙江省龙游县某某镇某某村12号"),
            ("cType", "居民身份证"),
            ("effectiveDate", "2020.09.25-2040.09.25"),
            ("ethnic", "土家"),
            ("gender", "女"),
            ("identityNo", NUMBER),
            ("name", "欧阳秋"),
            ("nationality", "中华人民共和国"),
        ]
    );
    assert!(assessment.cards.iter().all(|card| card.confidence > 0.95));
}

#[test]
fn columns_are_typed() {
    let columns = CardColumns::of(&result(check([front(), back()])));
    assert_eq!(columns.birth_date, Some(date!(1993 - 03 - 03)));
    assert_eq!((columns.valid_from, columns.valid_to), (Some(date!(2020 - 09 - 25)), Some(date!(2040 - 09 - 25))));
    assert!(!columns.long_term);
    let endless = with(back(), FieldName::EffectiveDate, field("2020.09.25-长期", 0.9999));
    let columns = CardColumns::of(&result(check([endless])));
    assert_eq!((columns.valid_to, columns.long_term), (None, true));
    assert_eq!(columns.name, "");
}

#[test]
fn fails_without_a_card_or_a_readable_field() {
    let nothing = check([]);
    assert_eq!((nothing.status, nothing.decision), (Status::Fail, Decision::Reject));
    assert_eq!(rules(&nothing), ["no_card"]);
    let blank = check([card(Side::Back, [])]);
    assert_eq!(blank.status, Status::Fail);
    assert_eq!(rules(&blank), ["missing", "missing", "nothing_readable"]);
    assert_eq!(blank.message["authority"], "");
    let scrawl = [(FieldName::Name, field("地艺灵事", 0.99)), (FieldName::IdentityNo, field("夯虚A问6陵", 0.2))];
    let other_document = check([card(Side::Front, scrawl)]);
    assert_eq!((other_document.status, other_document.decision), (Status::Fail, Decision::Reject));
    assert!(rules(&other_document).contains(&"nothing_readable"));
    assert_eq!(other_document.message["name"], "");
}

#[test]
fn fails_on_words_that_no_card_prints() {
    let of = |side, name, text| check([card(side, [(name, field(text, 0.9999))])]).status;
    for (side, name, text) in [
        (Side::Front, FieldName::Ethnic, "柔万"),
        (Side::Front, FieldName::Address, "民巷荤厌6龙"),
        (Side::Back, FieldName::Authority, "玄冯卧姨"),
    ] {
        assert_eq!(of(side, name, text), Status::Fail, "{text}");
    }
    for (side, name, text) in [
        (Side::Front, FieldName::Ethnic, "土家"),
        (Side::Front, FieldName::Address, "浙江省龙游县某某镇12号"),
        (Side::Back, FieldName::Authority, "龙游县公安局"),
    ] {
        assert_eq!(of(side, name, text), Status::Ok, "{text}");
    }
}

#[test]
fn field_of_which_a_part_is_hidden_is_not_accepted_however_sure_its_characters_are() {
    let mut covered = front();
    covered.hidden.insert(FieldName::Name, 0.7);
    let assessment = check([covered.clone(), back()]);
    assert_eq!(rules(&assessment), ["low_confidence", "occluded"]);
    assert_eq!(assessment.decision, Decision::Review);
    assert!(assessment.cards[0].fields[&FieldName::Name].confidence < 0.31);
    assert_eq!(text(&assessment, FieldName::Name), "欧阳秋");

    // Less than likely, and still too much for a bank.
    covered.hidden.insert(FieldName::Name, 0.1);
    let assessment = check([covered, back()]);
    assert_eq!((rules(&assessment), assessment.decision), (vec![], Decision::Review));
}

#[test]
fn hidden_part_of_a_birth_date_or_gender_takes_nothing_from_what_the_number_repeats() {
    for name in [FieldName::BirthDate, FieldName::Gender] {
        let confidence = |card: &ReadCard| check([card.clone()]).cards[0].fields[&name].confidence;
        let mut covered = front();
        let whole = confidence(&covered);
        covered.hidden.insert(name, 0.3);
        assert!(confidence(&covered) > whole - 0.01, "{name:?}");
        // A number of which itself a part may be missing confirms nothing, and no more does one that could not be read.
        covered.hidden.insert(FieldName::IdentityNo, 1.0);
        assert!(confidence(&covered) < 0.71, "{name:?}");
        covered.hidden.remove(&FieldName::IdentityNo);
        covered.fields.remove(&FieldName::IdentityNo);
        assert!(confidence(&covered) < 0.71, "{name:?}");
    }
}

#[test]
fn field_that_is_hidden_whole_is_missing_and_occluded() {
    let mut covered = front();
    covered.fields.remove(&FieldName::Name);
    covered.hidden.insert(FieldName::Name, 0.9);
    assert_eq!(rules(&check([covered, back()])), ["missing", "occluded"]);
}

mod number {
    use super::*;

    #[test]
    fn corrects_a_doubtful_digit_by_the_check_digit() {
        let number = doubt(field("330825199303034665", 0.9999), 15, &[('6', 0.6), ('5', 0.39), ('8', 0.01)]);
        let assessment = check([with(front(), FieldName::IdentityNo, number)]);
        assert_eq!(text(&assessment, FieldName::IdentityNo), NUMBER);
        assert_eq!(raw(&assessment, FieldName::IdentityNo), Some("330825199303034665"));
        assert_eq!(rules(&assessment), ["checksum_corrected"]);
        assert_eq!(assessment.findings[0].severity, Severity::Info);
    }

    #[test]
    fn keeps_a_clearly_read_number_with_a_wrong_check_digit() {
        let number = "330825199303034564";
        let assessment = check([with(front(), FieldName::IdentityNo, field(number, 0.99999))]);
        assert_eq!(text(&assessment, FieldName::IdentityNo), number);
        assert!(rules(&assessment).contains(&"checksum"));
        assert_eq!(assessment.decision, Decision::Reject);
    }

    #[test]
    fn names_the_rule_for_every_invalid_number() {
        for (number, rule) in [
            ("330825199302304565", "date"),
            ("330825209303034565", "future"),
            ("990825199303034565", "province"),
            ("33082519930303", "length"),
            ("3308251993030X4565", "character"),
        ] {
            let assessment = check([with(front(), FieldName::IdentityNo, field(number, 0.9999))]);
            let found = assessment.findings.iter().find(|finding| finding.rule.name() == rule);
            assert_eq!(found.map(|finding| finding.severity), Some(Severity::Error), "{rule}");
        }
    }

    #[test]
    fn maps_and_reports_look_alikes_of_digits() {
        let assessment = check([with(front(), FieldName::IdentityNo, field("33O825I993O3O34565", 0.9999))]);
        assert_eq!(text(&assessment, FieldName::IdentityNo), NUMBER);
        assert_eq!(raw(&assessment, FieldName::IdentityNo), Some("33O825I993O3O34565"));
        assert_eq!(rules(&assessment), ["normalized"]);
    }

    #[test]
    fn removes_a_label_before_the_value() {
        let assessment = check([with(front(), FieldName::IdentityNo, field(&format!("身份号码{NUMBER}"), 0.9999))]);
        assert_eq!(text(&assessment, FieldName::IdentityNo), NUMBER);
        assert!(rules(&assessment).contains(&"normalized"));
    }

    #[test]
    fn removes_a_doubled_digit() {
        let mut number = field("3308251993030345665", 0.9999);
        number.chars[16].position = number.chars[15].position + 0.005;
        let assessment = check([with(front(), FieldName::IdentityNo, number)]);
        assert_eq!(text(&assessment, FieldName::IdentityNo), NUMBER);
        assert!(rules(&assessment).contains(&"length_corrected"));
    }

    #[test]
    fn completes_a_missing_digit_from_the_birth_date() {
        let assessment = check([with(front(), FieldName::IdentityNo, field("33082519930303456", 0.9999))]);
        assert_ne!(text(&assessment, FieldName::IdentityNo), NUMBER, "a missing check digit is not made up");
        let assessment = check([with(front(), FieldName::IdentityNo, field("33082519930334565", 0.9999))]);
        assert_eq!(text(&assessment, FieldName::IdentityNo), NUMBER);
        assert!(rules(&assessment).contains(&"length_corrected"));
        assert_ne!(assessment.decision, Decision::Accept);
    }

    #[test]
    fn reports_numbers_of_permits_and_expects_no_ethnic_group_there() {
        let mut permit = with(front(), FieldName::IdentityNo, field("810000199303034569", 0.9999));
        permit.fields.remove(&FieldName::Ethnic);
        assert_eq!(rules(&check([permit])), ["non_citizen_document"]);
    }
}

mod permit {
    use shenfen_core::DocumentType;

    use super::*;

    fn permit_front(number: &str) -> ReadCard {
        let mut permit = with(front(), FieldName::IdentityNo, field(number, 0.9999));
        permit.fields.remove(&FieldName::Ethnic);
        permit
    }

    fn permit_back(number: &str, count: &str) -> ReadCard {
        let back = with(back(), FieldName::EffectiveDate, field("2022.09.25-2027.09.25", 0.9999));
        let back = with(back, FieldName::PermitNumber, field(number, 0.9999));
        with(back, FieldName::IssueCount, field(count, 0.9999))
    }

    #[test]
    fn both_sides_are_one_document_with_fields_of_its_own() {
        let assessment = check([permit_front("810000199303034569"), permit_back("H12345678", "01")]);
        assert_eq!(rules(&assessment), ["non_citizen_document"]);
        assert!(assessment.cards.iter().all(|card| card.document_type == DocumentType::HmtResidencePermit));
        let back = &assessment.cards[1].fields;
        assert_eq!((&*back[&FieldName::PermitNumber].text, &*back[&FieldName::IssueCount].text), ("H12345678", "01"));
        assert_eq!(assessment.message["cType"], "港澳居民居住证");
        // The documented service knows the fields of resident cards.
        assert_eq!(assessment.message["ethnic"], "");
        assert!(!assessment.message.contains_key("permitNumber"));
    }

    #[test]
    fn back_alone_is_told_by_its_rows() {
        for (number, count, title) in [
            ("12345678", "3", "台湾居民居住证"),
            ("M12345678", "02", "港澳居民居住证"),
            ("H1234", "1", "港澳台居民居住证"),
        ] {
            let assessment = check([permit_back(number, count)]);
            assert_eq!(assessment.cards[0].document_type, DocumentType::HmtResidencePermit, "{number}");
            assert_eq!(assessment.message["cType"], title);
            let expected = if number.len() < 8 { vec!["permit_number_form"] } else { vec![] };
            assert_eq!(rules(&assessment), expected, "{number}");
        }
    }

    #[test]
    fn stray_characters_make_no_permit_of_a_resident_card_and_it_is_not_accepted() {
        for stray in ["2020.09.25", "02", "740683", "签发次数"] {
            let assessment = check([with(back(), FieldName::PermitNumber, field(stray, 0.9))]);
            assert_eq!(rules(&assessment), ["permit_number_form"], "{stray}");
            assert_eq!(
                (assessment.decision, assessment.cards[0].document_type),
                (Decision::Review, DocumentType::ResidentId)
            );
            assert_eq!(assessment.message["cType"], "居民身份证");
            assert!(!assessment.message.contains_key("permitNumber"));
        }
    }

    #[test]
    fn permit_is_told_by_a_number_that_labels_stick_to() {
        for number in ["28817580签发次数.01", "码H24920527", "M87746155签发次数.02", "H88780172签发次数"] {
            let stuck = with(back(), FieldName::PermitNumber, field(number, 0.9));
            let assessment = check([stuck]);
            assert_eq!(assessment.cards[0].document_type, DocumentType::HmtResidencePermit, "{number}");
            assert_ne!(assessment.decision, Decision::Accept, "{number}");
        }
    }

    #[test]
    fn a_row_that_is_missing_or_hidden_is_said() {
        let mut covered = permit_back("H12345678", "01");
        covered.fields.remove(&FieldName::IssueCount);
        assert_eq!(rules(&check([covered])), ["missing"]);
        // Nothing of the number is left, but something stood there.
        let mut covered = back();
        covered.hidden.insert(FieldName::PermitNumber, 0.8);
        let assessment = check([covered]);
        assert_eq!((rules(&assessment), assessment.decision), (vec!["occluded"], Decision::Review));
    }

    #[test]
    fn sides_of_different_documents_or_holders_do_not_belong_together() {
        let hong_kong = || permit_front("810000199303034569");
        for (front, back) in [
            (hong_kong(), back()),
            (front(), permit_back("H12345678", "01")),
            (hong_kong(), permit_back("M12345678", "01")),
            (hong_kong(), permit_back("12345678", "01")),
        ] {
            let assessment = check([front, back]);
            assert!(rules(&assessment).contains(&"document_mismatch"), "{:?}", rules(&assessment));
            assert_ne!(assessment.decision, Decision::Accept);
        }
    }
}

mod together {
    use super::*;

    #[test]
    fn number_decides_between_readings_of_the_birth_date() {
        let birth = doubt(field("1998年3月3日", 0.9999), 3, &[('8', 0.5), ('3', 0.4)]);
        let assessment = check([with(front(), FieldName::BirthDate, birth)]);
        assert_eq!(text(&assessment, FieldName::BirthDate), "1993年3月3日");
        assert_eq!(raw(&assessment, FieldName::BirthDate), Some("1998年3月3日"));
        assert_eq!(rules(&assessment), ["birth_date_corrected"]);
    }

    #[test]
    fn birth_date_decides_between_valid_readings_of_the_number() {
        // 1993 and 1998 with the last digits that fit either.
        let number = doubt(field(NUMBER, 0.9999), 9, &[('8', 0.5), ('3', 0.5)]);
        let number = doubt(number, 17, &[('0', 0.5), ('5', 0.5)]);
        let assessment = check([with(front(), FieldName::IdentityNo, number)]);
        assert_eq!(text(&assessment, FieldName::IdentityNo), NUMBER);
    }

    #[test]
    fn derives_unreadable_birth_date_and_gender_from_the_number() {
        let blurred = with(front(), FieldName::BirthDate, field("1年月", 0.3));
        let assessment = check([with(blurred, FieldName::Gender, field("力", 0.4))]);
        assert_eq!(text(&assessment, FieldName::BirthDate), "1993年3月3日");
        assert_eq!(raw(&assessment, FieldName::BirthDate), Some("1年月"));
        assert_eq!(text(&assessment, FieldName::Gender), "女");
        assert_eq!(rules(&assessment), ["filled_from_number", "filled_from_number"]);
    }

    #[test]
    fn derives_nothing_from_an_invalid_number() {
        let invalid = with(front(), FieldName::IdentityNo, field("330825199303034564", 0.99999));
        let assessment = check([with(invalid, FieldName::BirthDate, field("1年月", 0.3))]);
        assert_eq!(text(&assessment, FieldName::BirthDate), "1年月");
        assert!(rules(&assessment).contains(&"birth_date_form"));
    }

    #[test]
    fn keeps_and_reports_clear_contradictions() {
        let other = with(front(), FieldName::BirthDate, field("1990年12月24日", 0.9999));
        let assessment = check([with(other, FieldName::Gender, field("男", 0.9999))]);
        assert_eq!(text(&assessment, FieldName::BirthDate), "1990年12月24日");
        assert_eq!(text(&assessment, FieldName::Gender), "男");
        assert!(rules(&assessment).contains(&"birth_date_mismatch"));
        assert!(rules(&assessment).contains(&"gender_mismatch"));
        assert_eq!(assessment.decision, Decision::Reject);
    }

    #[test]
    fn reads_a_gap_between_digits_as_a_missing_month_sign() {
        for (read, expected) in
            [("199333", "1993年3月3日"), ("1993 3 3 ", "1993年3月3日"), ("1993年033日", "1993年3月3日")]
        {
            let assessment = check([with(front(), FieldName::BirthDate, field(read, 0.9999))]);
            assert_eq!(text(&assessment, FieldName::BirthDate), expected, "{read}");
            assert_eq!(raw(&assessment, FieldName::BirthDate), Some(read));
        }
    }
}

mod words {
    use super::*;

    #[test]
    fn accepts_only_listed_ethnic_groups() {
        let ethnic = doubt(field("士家", 0.9999), 0, &[('士', 0.7), ('土', 0.3)]);
        let assessment = check([with(front(), FieldName::Ethnic, ethnic)]);
        assert_eq!(text(&assessment, FieldName::Ethnic), "土家");
        assert_eq!(rules(&assessment), ["ethnic_corrected"]);
        let assessment = check([with(front(), FieldName::Ethnic, field("士家", 0.9999))]);
        assert_eq!(text(&assessment, FieldName::Ethnic), "士家");
        assert!(rules(&assessment).contains(&"ethnic_unknown"));
        assert_ne!(assessment.decision, Decision::Accept);
    }

    #[test]
    fn drops_a_stroke_beside_an_ethnic_group() {
        let ethnic = doubt(field("1门巴", 0.9999), 0, &[('1', 0.93), ('工', 0.01)]);
        let assessment = check([with(front(), FieldName::Ethnic, ethnic)]);
        assert_eq!(text(&assessment, FieldName::Ethnic), "门巴");
        assert_eq!(raw(&assessment, FieldName::Ethnic), Some("1门巴"));
        assert_eq!(rules(&assessment), ["normalized"]);
    }

    #[test]
    fn removes_labels_before_values() {
        let labelled = with(front(), FieldName::Name, field("姓名欧阳秋", 0.9999));
        let labelled = with(labelled, FieldName::Gender, field("性别女", 0.9999));
        let labelled = with(labelled, FieldName::Ethnic, field("族土家", 0.9999));
        let labelled = with(labelled, FieldName::BirthDate, field("出生1993年3月3日", 0.9999));
        let assessment = check([labelled, back()]);
        let clean = check([front(), back()]);
        assert_eq!(assessment.message, clean.message);
        assert_eq!(rules(&assessment), ["label_removed", "label_removed", "normalized", "normalized"]);
    }

    #[test]
    fn normalizes_the_separator_of_names() {
        let assessment = check([with(front(), FieldName::Name, field("阿依古丽•麦麦提", 0.9999))]);
        assert_eq!(text(&assessment, FieldName::Name), "阿依古丽·麦麦提");
        assert_eq!(raw(&assessment, FieldName::Name), Some("阿依古丽•麦麦提"));
        assert_eq!(rules(&assessment), ["normalized"]);
    }

    #[test]
    fn sends_rare_characters_to_review() {
        let named = |name| check([with(front(), FieldName::Name, field(name, 0.9999)), back()]);
        assert_eq!(named("刘堃𬭬").decision, Decision::Accept, "{:?}", rules(&named("刘堃𬭬")));
        let rare = named("刘劯");
        assert_eq!((rules(&rare), rare.decision), (vec!["rare_character"], Decision::Review));
        assert_eq!(text(&rare, FieldName::Name), "刘劯");
    }

    #[test]
    fn sends_long_names_without_a_separator_to_review() {
        let found = |name| {
            let assessment = check([with(front(), FieldName::Name, field(name, 0.9999)), back()]);
            rules(&assessment).iter().map(|rule| (*rule).to_owned()).collect::<Vec<String>>()
        };
        assert_eq!(found("阿依古丽叶尔肯"), ["separator_missing"]);
        assert!(found("阿依古丽·叶尔肯").is_empty() && found("阿拉腾其其格").is_empty());
    }

    #[test]
    fn reports_an_address_in_an_unknown_province() {
        let address = doubt(field("淅江省龙游县某某镇12号", 0.9999), 0, &[('淅', 0.8), ('浙', 0.2)]);
        let assessment = check([with(front(), FieldName::Address, address)]);
        assert_eq!(text(&assessment, FieldName::Address), "浙江省龙游县某某镇12号");
        assert_eq!(rules(&assessment), ["character_corrected"]);
        let assessment = check([with(front(), FieldName::Address, field("淅江省龙游县某某镇12号", 0.9999))]);
        assert!(rules(&assessment).contains(&"address_region"));
        assert_ne!(assessment.decision, Decision::Accept);
    }

    #[test]
    fn lowers_confidence_of_an_address_with_an_unpaired_bracket() {
        let text = "浙江省龙游县湖镇镇某村1号（集体户";
        let of = |text: &str| check([with(front(), FieldName::Address, field(text, 0.999))]);
        let confidence = of(text).cards[0].fields[&FieldName::Address].confidence;
        assert!(confidence < 0.9, "{confidence}");
        assert!(of(&format!("{text}）")).cards[0].fields[&FieldName::Address].confidence > 0.95);
    }

    #[test]
    fn reports_an_authority_that_is_not_a_bureau() {
        let authority = doubt(field("龙游县公安昌", 0.9999), 5, &[('昌', 0.6), ('局', 0.4)]);
        let assessment = check([with(back(), FieldName::Authority, authority)]);
        assert_eq!(text(&assessment, FieldName::Authority), "龙游县公安局");
        assert!(rules(&assessment).contains(&"character_corrected"));
        let assessment = check([with(back(), FieldName::Authority, field("龙游县公安厅", 0.9999))]);
        assert!(rules(&assessment).contains(&"authority_form"));
    }
}

mod validity {
    use super::*;

    fn check_validity(read: &str, expected: &str, found: &[&str]) {
        let assessment = check([with(back(), FieldName::EffectiveDate, field(read, 0.9999))]);
        assert_eq!(text(&assessment, FieldName::EffectiveDate), expected, "{read}");
        assert_eq!(rules(&assessment), found, "{read}");
    }

    #[test]
    fn normalizes_separators() {
        check_validity("2020·09。25—2040·09.25", "2020.09.25-2040.09.25", &["normalized"]);
        check_validity("有效期限2020.09.25-2040.09.25", "2020.09.25-2040.09.25", &["normalized"]);
        check_validity("2020.09.25-长明", "2020.09.25-长期", &["normalized"]);
    }

    #[test]
    fn drops_what_follows_a_complete_term() {
        check_validity("2020.09.25-2040.09.25年口内日6", "2020.09.25-2040.09.25", &["normalized"]);
        check_validity("2020.09.25-长期7年门", "2020.09.25-长期", &["normalized"]);
        check_validity("2020.09-长期7年门", "2020.09-长期7年门", &["low_confidence", "validity_form"]);
    }

    #[test]
    fn checks_terms_and_dates_of_validity() {
        check_validity("2020.09.25-2040.09.24", "2020.09.25-2040.09.24", &["invalid_validity_period"]);
        check_validity("2010.09.25-2020.09.25", "2010.09.25-2020.09.25", &["expired"]);
        check_validity("2020.09.31-2040.09.31", "2020.09.31-2040.09.31", &["date", "low_confidence"]);
        check_validity("2020.09", "2020.09", &["low_confidence", "validity_form"]);
    }

    #[test]
    fn an_expired_card_that_is_read_surely_is_accepted_and_said_to_be_expired() {
        let expired = || with(back(), FieldName::EffectiveDate, field("2010.09.25-2020.09.25", 0.9999));
        let assessment = check([expired()]);
        assert_eq!((assessment.decision, assessment.validity), (Decision::Accept, CardValidity::Expired));
        assert_eq!(rules(&assessment), ["expired"]);

        let policy = Policy::from_toml("name = \"strict\"\n[severity]\nexpired = \"warning\"\n").unwrap();
        let assessment = assess(vec![expired()], TODAY, &policy);
        assert_eq!((assessment.decision, assessment.validity), (Decision::Review, CardValidity::Expired));
        assert_eq!(assessment.policy.name, "strict");
        assert_eq!(assessment.findings[0].usual, Some(Severity::Info));
    }

    #[test]
    fn validity_is_unknown_unless_its_period_is_read_surely() {
        assert_eq!(check([back()]).validity, CardValidity::Valid);
        assert_eq!(check([front()]).validity, CardValidity::Unknown);
        assert_eq!(check([]).validity, CardValidity::Unknown);
        let mut unsure = with(back(), FieldName::EffectiveDate, field("2010.09.25-2020.09.25", 0.9999));
        unsure.hidden.insert(FieldName::EffectiveDate, 0.4);
        let assessment = check([unsure]);
        assert_eq!((assessment.decision, assessment.validity), (Decision::Review, CardValidity::Unknown));
        let future = with(back(), FieldName::EffectiveDate, field("2030.09.25-2050.09.25", 0.9999));
        assert_eq!(check([future]).validity, CardValidity::NotYetValid);
    }

    #[test]
    fn fields_that_a_policy_does_not_require_may_be_missing_or_unsure() {
        let policy = Policy::from_toml("required = [\"name\", \"identityNo\"]").unwrap();
        let mut card = with(front(), FieldName::Name, field("欧阳秋", 0.99));
        card.fields.remove(&FieldName::Address);
        assert_eq!(check([card.clone()]).decision, Decision::Reject);
        let assessment = assess(vec![card.clone()], TODAY, &policy);
        assert_eq!(assessment.decision, Decision::Accept);
        assert!(assessment.findings.iter().any(|finding| finding.rule == Rule::Missing));
        card.fields.remove(&FieldName::Name);
        assert_eq!(assess(vec![card], TODAY, &policy).decision, Decision::Reject);
    }

    #[test]
    fn corrects_a_doubtful_digit_by_the_term() {
        let read = doubt(field("2020.09.25-2040.08.25", 0.9999), 17, &[('8', 0.5), ('9', 0.4)]);
        let assessment = check([with(back(), FieldName::EffectiveDate, read)]);
        assert_eq!(text(&assessment, FieldName::EffectiveDate), "2020.09.25-2040.09.25");
        assert_eq!(raw(&assessment, FieldName::EffectiveDate), Some("2020.09.25-2040.08.25"));
        assert!(rules(&assessment).contains(&"validity_corrected"));
    }

    #[test]
    fn checks_the_term_against_the_age_on_the_front() {
        let ten_years = || with(back(), FieldName::EffectiveDate, field("2023.09.25-2033.09.25", 0.9999));
        assert_eq!(rules(&check([front(), ten_years()])), ["term_for_age"]);
        assert_eq!(rules(&check([ten_years()])), [""; 0], "without the front nothing is known of the age");
    }
}

#[test]
fn fills_the_message_from_the_most_confident_front() {
    let unsure = with(front(), FieldName::Name, field("欧阳冬", 0.9));
    let assessment = check([unsure, front()]);
    assert_eq!(text(&assessment, FieldName::Name), "欧阳秋");
    assert_eq!(assessment.cards.len(), 2);
    assert!(rules(&assessment).contains(&"several_fronts"));
}

#[test]
fn sends_cards_of_two_people_to_review() {
    let other = with(front(), FieldName::IdentityNo, field("330825199303034581", 0.9999));
    let assessment = check([front(), other]);
    assert_eq!(rules(&assessment), ["different_holders", "several_fronts"]);
    assert_eq!(assessment.decision, Decision::Review);
}

#[test]
fn reports_an_authority_elsewhere_as_information() {
    let moved = with(back(), FieldName::Authority, field("北京市公安局海淀分局", 0.9999));
    let assessment = check([front(), moved]);
    assert_eq!(rules(&assessment), ["authority_address"]);
    assert_eq!(assessment.decision, Decision::Accept);
}

#[test]
fn sends_unsure_fields_and_cut_cards_to_review() {
    let unsure = with(front(), FieldName::Name, field("欧阳秋", 0.9));
    assert_eq!((rules(&check([unsure.clone()])), check([unsure]).decision), (vec!["low_confidence"], Decision::Review));
    let mut cut = front();
    cut.quality.completeness = 0.9;
    assert_eq!((rules(&check([cut.clone()])), check([cut]).decision), (vec!["incomplete"], Decision::Review));
}
