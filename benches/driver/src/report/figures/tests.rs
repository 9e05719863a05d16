use super::*;
use crate::report::made_up::trials;

fn draw(title: &str, trials: &Trials) -> Option<String> {
    let mut all = FIGURES.iter();
    let figure = all.find(|figure| figure.title.starts_with(title)).unwrap();
    figure.draw(trials)
}

/// Names of rows, from above.
fn rows(svg: &str) -> Vec<&str> {
    let after = svg.split("<text class=\"name\"").skip(1);
    after
        .filter_map(|text| text.split_once('>')?.1.split_once('<'))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn without_numbers_there_is_no_chart() {
    let unrelated = trials(&[("core", "seconds", 1.0), ("drain", "seconds", 1.0)]);
    for figure in FIGURES {
        assert!(figure.draw(&Trials::new()).is_none(), "{}", figure.title);
        assert!(figure.draw(&unrelated).is_none(), "{}", figure.title);
        assert_eq!(figure.missing(&Trials::new()).len(), figure.of.len());
    }
}

#[test]
fn ours_come_before_peers_and_a_peer_that_is_missing_is_named() {
    let all = trials(&[
        ("celery", "bookings_per_s", 50.0),
        ("core", "bookings_per_s", 270.0),
    ]);
    let svg = draw("Bookings per second: the peers", &all).unwrap();
    assert_eq!(rows(&svg), ["Boxoffice, the peers' work", "Python, Celery"]);
    assert_eq!(FIGURES[0].missing(&all), ["node"].into());
    assert!(svg.find("class=\"ours\"") < svg.find("class=\"theirs\""));
}

#[test]
fn cpu_is_stacked_by_group() {
    let all = trials(&[
        ("core", "cpu.group.app_ms", 3.0),
        ("core", "cpu.group.database_ms", 2.0),
        ("node", "cpu.group.app_ms", 5.0),
    ]);
    let svg = draw("CPU time per booking", &all).unwrap();
    assert_eq!(rows(&svg), ["Boxoffice, the peers' work", "Node"]);
    assert!(svg.contains("Boxoffice, the peers' work, database: 2.00 ms"));
}

#[test]
fn latency_is_told_by_step_and_load() {
    let all = trials(&[
        ("full", "latency.full_load.held.p99_ms", 90.0),
        ("full", "latency.load_80.held.p50_ms", 4.0),
        ("full", "latency.load_80.completed.p50_ms", 40.0),
        ("full", "latency.load_50.held.p50_ms", 3.0),
    ]);
    let svg = draw("What a customer waits: everything", &all).unwrap();
    assert_eq!(
        rows(&svg),
        [
            "held, at 50 % load",
            "held, at 80 % load",
            "held, at full load",
            "completed, at 80 % load"
        ]
    );
}

#[test]
fn a_backlog_is_ordered_by_its_size() {
    let all = trials(&[
        ("drain", "backlog_1000000.cpu_ms", 2.1),
        ("drain", "backlog_1000.cpu_ms", 2.0),
        ("drain", "backlog_30000.cpu_ms", 2.0),
    ]);
    let svg = draw("CPU time per booking while", &all).unwrap();
    let at = |count: &str| svg.find(&format!("{count} bookings waiting: ")).unwrap();
    assert!(at("1,000") < at("30,000") && at("30,000") < at("1,000,000"));
    let scaled = trials(&[("scale", "processes_2.bookings_per_s", 400.0)]);
    assert!(draw("Scaling out", &scaled).is_some_and(|svg| svg.contains("2 processes: 400")));
}

#[test]
fn memory_has_a_row_for_each_process_and_only_moments_that_were_seen() {
    let all = trials(&[
        ("full", "idle.memory.api.resident_mib", 40.0),
        ("full", "memory.api.resident_mib", 60.0),
        ("full", "memory.mail.resident_mib", 50.0),
        ("full", "memory.mail.proportional_mib", 30.0),
        ("full", "memory.group.app.resident_mib", 110.0),
        ("core", "idle.memory.group.app.resident_mib", 200.0),
        ("node", "idle.memory.group.app.resident_mib", 230.0),
    ]);
    let svg = draw("Memory of each process: everything", &all).unwrap();
    assert_eq!(rows(&svg), ["api", "mail"]);
    assert!(svg.contains(">40.0 / 60.0</text>") && svg.contains(">– / 50.0</text>"));
    assert!(!svg.contains("deep backlog"));
    let apps = draw("Memory of the whole app", &all).unwrap();
    assert_eq!(rows(&apps), ["Boxoffice, the peers' work", "Node"]);
}
