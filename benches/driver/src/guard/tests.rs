use super::*;
use serde_json::json;
use std::path::PathBuf;

fn numbers(values: &[(&str, f64)]) -> BTreeMap<String, f64> {
    let values = values.iter();
    values
        .map(|(name, value)| ((*name).to_owned(), *value))
        .collect()
}

fn judge(recorded: &[(&str, f64)], now: &[(&str, f64)]) -> Comparison {
    Comparison::of(&numbers(recorded), &numbers(now))
}

#[test]
fn more_than_a_fifth_is_worse_and_a_fifth_is_not() {
    let fine = judge(&[("commits", 1.0)], &[("commits", 1.2)]);
    assert!(fine.judge().is_ok());
    let worse = judge(&[("commits", 1.0)], &[("commits", 1.21)]);
    let error = worse.judge().unwrap_err().to_string();
    assert!(error.contains("commits per booking"), "{error}");
    let better = judge(&[("commits", 1.0)], &[("commits", 0.1)]);
    assert!(better.judge().is_ok());
    assert!(better.table().contains("90 % better"));
}

#[test]
fn a_rate_is_worse_when_it_is_less() {
    assert!(
        judge(&[("rate", 100.0)], &[("rate", 300.0)])
            .judge()
            .is_ok()
    );
    assert!(judge(&[("rate", 100.0)], &[("rate", 70.0)]).judge().is_ok());
    assert!(
        judge(&[("rate", 100.0)], &[("rate", 60.0)])
            .judge()
            .is_err()
    );
    assert!(judge(&[("rate", 100.0)], &[("rate", 0.0)]).judge().is_err());
}

#[test]
fn nothing_may_get_out_of_sight() {
    assert!(judge(&[("commits", 1.0)], &[]).judge().is_err());
    assert!(
        judge(&[("of old", 1.0)], &[("commits", 1.0)])
            .judge()
            .is_err()
    );
    let new = judge(&[], &[("commits", 1.0)]);
    assert!(new.judge().is_ok());
    assert!(new.table().contains("not recorded"));
}

#[test]
fn something_from_nothing_is_worse() {
    assert!(
        judge(&[("commits", 0.0)], &[("commits", 0.0)])
            .judge()
            .is_ok()
    );
    assert!(
        judge(&[("commits", 0.0)], &[("commits", 0.1)])
            .judge()
            .is_err()
    );
}

#[test]
fn a_table_is_aligned() {
    let both = judge(
        &[("commits", 1.0), ("messages", 9.0)],
        &[("commits", 2.0), ("messages", 9.0)],
    );
    let table = both.table();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines,
        [
            "                      recorded   now       change  limit",
            "commits per booking       1.00  2.00  100 % worse   20 %  WORSE",
            "messages per booking      9.00  9.00         same   20 %",
        ]
    );
}

struct Files {
    folder: PathBuf,
}

impl Files {
    fn new(name: &str) -> Self {
        let folder = format!("bench-guard-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    fn report(&self, calibration: f64, cpu: f64) -> PathBuf {
        let numbers = [
            ("cpu.all_ms", cpu),
            ("sql.questions", 14.0),
            ("sql.commits", 1.1),
            ("sql.received_bytes", 23_000.0),
            ("sql.sent_bytes", 8_700.0),
            ("sql.data_fsyncs", 1.2),
            ("broker.published", 9.0),
            ("bookings_per_s", 1_000.0 / cpu),
            (CALIBRATION, calibration),
        ];
        let median = |(name, value): (&str, f64)| {
            let median = json!({"median": value, "min": value, "max": value, "repetitions": 3});
            (name.to_owned(), median)
        };
        let numbers: serde_json::Map<_, _> = numbers.map(median).into_iter().collect();
        let machine = json!({"date": "today", "commit": "abc", "cores": 2, "processor": "x", "memory_gib": 24.0});
        let report = json!({"machine": machine, "goals": [], "trials": {"guard": numbers}});
        let path = self.folder.join("report.json");
        fs::write(&path, report.to_string()).unwrap();
        path
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn what_was_recorded_is_compared_and_a_slower_machine_is_no_fault() {
    let files = Files::new("renew");
    let recorded = files.folder.join("guard.json");
    renew(&recorded, &files.report(100.0, 5.0)).unwrap();
    let same = compare(&recorded, &files.report(100.0, 5.0)).unwrap();
    assert_eq!(same.0.len(), CHOSEN.len());
    assert!(same.0.iter().all(|row| row.judgement == Judgement::Fine));
    let slower = compare(&recorded, &files.report(200.0, 10.0)).unwrap();
    assert!(slower.judge().is_ok(), "{}", slower.table());
    let dearer = compare(&recorded, &files.report(100.0, 6.5)).unwrap();
    assert!(dearer.judge().is_err());
}

#[test]
fn without_its_measurement_there_is_nothing_to_compare() {
    let files = Files::new("missing");
    let report = files.report(100.0, 5.0);
    let recorded = files.folder.join("guard.json");
    let error = compare(&recorded, &report).unwrap_err().to_string();
    assert!(error.contains("--renew"), "{error}");
    let text = fs::read_to_string(&report).unwrap();
    fs::write(&report, text.replace("\"guard\"", "\"core\"")).unwrap();
    let error = renew(&recorded, &report).unwrap_err().to_string();
    assert!(error.contains("cargo xtask bench --guard"), "{error}");
    fs::write(&report, text.replace("broker.published", "other")).unwrap();
    let error = renew(&recorded, &report).unwrap_err().to_string();
    assert!(
        error.contains("not measured: messages per booking"),
        "{error}"
    );
    assert!(!recorded.exists());
}
