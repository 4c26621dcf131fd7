//! Exports of results to files, for spreadsheets and data tools.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[expect(dead_code, reason = "other tests need more of it")]
mod program;

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

use calamine::{Data, Reader, Xlsx};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use program::{Place, Ran, samples};
use serde_json::Value;
use sqlx::Connection;

/// What a spreadsheet would take for something else.
const REFERENCES: [&str; 4] = ["=1+1", "007", "123456789012345678", "customer-1"];

/// A database with a front, a back, a picture without a card and a file that is no picture, each with a reference.
fn with_results() -> Place {
    let place = Place::new();
    place.write("text.jpg", "no picture");
    for name in ["photo-1.jpg", "photo-6.jpg", "no-card.jpg"] {
        place.write(name, fs::read(samples().join(name)).unwrap());
    }
    let pictures = ["photo-1.jpg", "photo-6.jpg", "no-card.jpg", "text.jpg"];
    let rows: String = pictures.iter().zip(REFERENCES).map(|(path, name)| format!("{path},{name}\n")).collect();
    place.write("list.csv", format!("path,reference\n{rows}"));
    let ran = place.run(&["backfill", "list.csv", "--threads", "1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    place
}

/// Adds the batch `many` with results that take some room even when compressed.
fn add_many(place: &Place) {
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
               INSERT INTO results (job_id, batch, reference, source, status, decision, long_term, result, attempts,
                                    model_version, image_sha256, created_at, finished_at)
               SELECT printf('00000000-0000-4000-8000-%012x', i), 'many', i, source, status, decision, long_term, result,
                      attempts, model_version, hex(randomblob(32)), created_at, finished_at
               FROM n, (SELECT * FROM results WHERE source = 'no-card.jpg')";
    let url = format!("sqlite://{}", place.path().join("shenfen.db").display());
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    });
}

/// An export in clear.
fn export(place: &Place, arguments: &[&str]) -> Ran {
    let ran = place.run(&[&["results", "--reveal", "--reason", "a test"], arguments].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran
}

/// The rows of the first sheet, with the headings.
fn sheet(path: &Path) -> Vec<Vec<Data>> {
    let mut book: Xlsx<_> = calamine::open_workbook(path).unwrap();
    book.worksheet_range("results").unwrap().rows().map(<[Data]>::to_vec).collect()
}

/// The files in the folder but for the database.
fn names(place: &Place) -> Vec<String> {
    let names = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with("shenfen.db")).collect();
    names.sort();
    names
}

#[test]
fn all_formats_have_the_same_columns_and_values() {
    let place = with_results();
    for file in ["all.csv", "all.xlsx", "all.parquet", "all.jsonl"] {
        let ran = export(&place, &["--output", file]);
        assert_eq!((ran.out.as_str(), ran.err.trim_end()), ("", format!("4 results written to {file}").as_str()));
    }
    let mut csv = csv::Reader::from_path(place.path().join("all.csv")).unwrap();
    let columns: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    let csv: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let json = Ran { code: None, out: fs::read_to_string(place.path().join("all.jsonl")).unwrap(), err: String::new() };
    let json = json.lines();
    let sheet = sheet(&place.path().join("all.xlsx"));
    let parquet = SerializedFileReader::new(File::open(place.path().join("all.parquet")).unwrap()).unwrap();
    let parquet: Vec<_> = parquet.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!((csv.len(), json.len(), sheet.len(), parquet.len()), (4, 4, 5, 4));

    let mut expected: Vec<&String> = json[0].as_object().unwrap().keys().filter(|name| *name != "result").collect();
    expected.sort();
    let mut sorted: Vec<&String> = columns.iter().collect();
    sorted.sort();
    assert_eq!(sorted, expected);
    assert_eq!(sheet[0].iter().map(Data::to_string).collect::<Vec<_>>(), columns);
    for (number, row) in json.iter().enumerate() {
        let fields: Vec<(&String, &Field)> = parquet[number].get_column_iter().collect();
        assert_eq!(
            fields.iter().map(|(name, _)| *name).take(columns.len()).collect::<Vec<_>>(),
            columns.iter().collect::<Vec<_>>()
        );
        for (place, column) in columns.iter().enumerate() {
            let value = &row[column];
            let as_text = value.as_str().map_or_else(|| value.to_string().replace("null", ""), str::to_owned);
            assert_eq!(csv[number][place], as_text, "{column}");
            let cell = sheet[number + 1].get(place).unwrap_or(&Data::Empty);
            same_in_sheet(column, value, cell);
            same_in_parquet(column, value, fields[place].1);
        }
        let (name, Field::Str(result)) = fields[columns.len()] else { panic!("the result should be text") };
        assert_eq!((name.as_str(), serde_json::from_str::<Value>(result).unwrap()), ("result", row["result"].clone()));
    }
    assert_eq!(json[0]["identity_no"].as_str().unwrap().len(), 18, "a number is among them");
}

fn same_in_sheet(column: &str, value: &Value, cell: &Data) {
    match (value, cell) {
        (Value::Null, Data::Empty) => {}
        (Value::String(text), Data::Empty) => assert_eq!(text, "", "{column}"),
        (Value::String(day), Data::DateTime(cell)) if ["birth_date", "valid_from", "valid_to"].contains(&column) => {
            let (year, month, date, ..) = cell.to_ymd_hms_milli();
            assert_eq!(&format!("{year:04}-{month:02}-{date:02}"), day, "{column}");
        }
        (Value::String(text), Data::String(cell)) => assert_eq!(cell, text, "{column}"),
        (Value::Bool(value), Data::Bool(cell)) => assert_eq!(cell, value, "{column}"),
        (Value::Number(value), Data::Float(cell)) => assert_eq!(Some(*cell), value.as_f64(), "{column}"),
        _ => panic!("{column}: {cell:?} for {value}"),
    }
}

fn same_in_parquet(column: &str, value: &Value, field: &Field) {
    match (value, field) {
        (Value::Null, Field::Null) => {}
        (Value::String(text), Field::Null) => assert_eq!(text, "", "{column}"),
        (Value::String(text), Field::Str(field)) => assert_eq!(field, text, "{column}"),
        (Value::String(day), Field::Date(_)) => assert_eq!(field.to_string(), *day, "{column}"),
        (Value::String(instant), Field::TimestampMicros(_)) => {
            assert!(field.to_string().starts_with(&instant[..19].replace('T', " ")), "{column}: {field}");
        }
        (Value::Bool(value), Field::Bool(field)) => assert_eq!(field, value, "{column}"),
        (Value::Number(value), Field::Double(field)) => assert_eq!(Some(*field), value.as_f64(), "{column}"),
        (Value::Number(value), Field::Long(field)) => assert_eq!(Some(*field), value.as_i64(), "{column}"),
        _ => panic!("{column}: {field:?} for {value}"),
    }
}

#[test]
fn exports_are_masked_unless_revealed() {
    let place = with_results();
    let numbers = |arguments: &[&str]| {
        let ran = place.run(&[&["results", "--output", "masked.xlsx"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let sheet = sheet(&place.path().join("masked.xlsx"));
        let column = sheet[0].iter().position(|head| *head == "identity_no").unwrap();
        let numbers = sheet[1..].iter().map(|row| row[column].to_string()).filter(|number| !number.is_empty());
        numbers.collect::<Vec<_>>()
    };
    let (masked, clear) = (numbers(&[]), numbers(&["--reveal", "--reason", "a test"]));
    assert!(!masked.is_empty() && masked.len() == clear.len());
    for (masked, clear) in masked.iter().zip(&clear) {
        assert!(masked.contains("***") && !clear.contains('*') && masked[..3] == clear[..3], "{masked}");
    }
}

#[test]
fn csv_for_excel_keeps_texts_and_csv_for_programs_every_byte() {
    let place = with_results();
    let references = |csv: &str| -> Vec<String> {
        let mut csv = csv::Reader::from_reader(csv.as_bytes());
        csv.records().map(|row| row.unwrap()[2].to_owned()).collect()
    };
    assert_eq!(references(&export(&place, &["--format", "csv"]).out), REFERENCES);

    export(&place, &["--format", "csv-excel", "--output", "excel.csv"]);
    let excel = fs::read_to_string(place.path().join("excel.csv")).unwrap();
    assert!(excel.starts_with("\u{feff}job_id,batch,reference,") && excel.lines().count() == 5);
    assert_eq!(excel.matches("\r\n").count(), 5);
    assert_eq!(references(&excel), ["'=1+1", "=\"007\"", "=\"123456789012345678\"", "customer-1"]);
    let printed = export(&place, &["--format", "csv-excel"]).out;
    assert_eq!(printed, excel);
}

#[test]
fn workbook_has_all_pages_under_a_frozen_heading() {
    let place = with_results();
    add_many(&place);

    export(&place, &["--batch", "many", "--output", "many.xlsx"]);
    let rows = sheet(&place.path().join("many.xlsx"));
    let references: Vec<String> = rows.iter().skip(1).map(|row| row[2].to_string()).collect();
    assert_eq!(references, (1..=3000).map(|number| number.to_string()).collect::<Vec<_>>());
    let mut archive = zip::ZipArchive::new(File::open(place.path().join("many.xlsx")).unwrap()).unwrap();
    let mut xml = String::new();
    archive.by_name("xl/worksheets/sheet1.xml").unwrap().read_to_string(&mut xml).unwrap();
    assert!(xml.contains(r#"<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>"#));

    export(&place, &["--batch", "none", "--output", "none.xlsx"]);
    assert_eq!(sheet(&place.path().join("none.xlsx")).len(), 1);
}

#[cfg(unix)]
#[test]
fn file_is_its_owners_and_appears_only_when_complete() {
    use std::os::unix::fs::PermissionsExt;
    let place = with_results();
    add_many(&place);
    for file in ["a.xlsx", "a.csv", "a.parquet", "a.json"] {
        place.write(file, "of yesterday");
        fs::set_permissions(place.path().join(file), PermissionsExt::from_mode(0o644)).unwrap();
        let before = names(&place);
        // A limit on the file size stands for a full disk, with room for the files of the database.
        let limited = Command::new("sh")
            .current_dir(place.path())
            .args([
                "-c",
                "trap '' XFSZ; ulimit -f 100; exec \"$0\" results --output \"$1\"",
                env!("CARGO_BIN_EXE_shenfen"),
                file,
            ])
            .output()
            .unwrap();
        let limited = Ran::of(limited);
        limited.fails_in_one_line(&[file, "File too large"]);
        assert!(limited.err.starts_with("error: cannot write"), "{}", limited.err);
        assert_eq!(fs::read_to_string(place.path().join(file)).unwrap(), "of yesterday");
        assert_eq!(names(&place), before, "nothing half-written is left");

        export(&place, &["--output", file]);
        let metadata = fs::metadata(place.path().join(file)).unwrap();
        assert!(metadata.permissions().mode() & 0o777 == 0o600 && metadata.len() > 1000, "{file}");
        assert_eq!(names(&place), before);
    }
}

#[test]
fn wrong_outputs_are_named() {
    let place = with_results();
    fs::create_dir(place.path().join("folder.csv")).unwrap();
    let before = names(&place);
    for (arguments, words) in [
        (&["--output", "a.xls"][..], &["a.xls", "no format", ".xlsx"][..]),
        (&["--output", "noending"], &["noending", "no format"]),
        (&["--output", "a.xlsx", "--format", "csv"], &["a.xlsx", "--format"]),
        (&["--output", "no/folder/a.csv"], &["cannot write no/folder/a.csv"]),
        (&["--output", "folder.csv"], &["cannot write folder.csv", "no ordinary file"]),
        (&["--format", "xlsx"], &["--output"]),
        (&["--format", "parquet"], &["--output"]),
    ] {
        place.run(&[&["results"], arguments].concat()).fails_in_one_line(words);
    }
    assert_eq!(names(&place), before);
    export(&place, &["--output", "a.txt", "--format", "table"]);
    assert!(fs::read_to_string(place.path().join("a.txt")).unwrap().starts_with("SOURCE"));
}
