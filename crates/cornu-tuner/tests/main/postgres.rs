//! Searches in a database, on a server of the test's own: stopped, shared, gone on with. Where none is installed, the tests say
//! that they did not run.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use ::postgres::{Client, NoTls};
use cornu_testkit::folder::Folder;
use cornu_tuner::journal::PostgresJournal;
use cornu_tuner::prelude::*;
use cornu_tuner::{Finish, Trial};

use crate::journals::{LONG, compare, killed, killed_often, process, shared, start, tuner, waits};
use crate::{build, fit, rows, told};

/// A server that ends with the test.
struct Server(Folder);

fn script(command: &str, folder: &Path) -> bool {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres.sh");
    Command::new(script)
        .arg(command)
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("a shell")
        .success()
}

impl Server {
    /// Of the servers of one process, each needs another name.
    fn start(name: &str) -> Option<Server> {
        let server = Server(Folder::new(name));
        if !script("find", &server.0) {
            println!("skipped: no server of PostgreSQL is installed");
            return None;
        }
        assert!(script("start", &server.0));
        Some(server)
    }

    fn url(&self) -> String {
        format!("postgres://tests:hush@{}/postgres", self.0.display().to_string().replace('/', "%2F"))
    }

    /// The search of that name.
    fn place(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("{}#{name}", self.url()))
    }

    /// A folder for processes that search so many trials here.
    fn shared(&self, name: &str, trials: u64) -> Folder {
        let folder = shared(name, trials);
        std::fs::write(folder.join("place"), self.place(name).display().to_string()).expect("a file");
        folder
    }

    /// Ends all connections but this one's.
    fn cut(&self) {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cornu-tuner'";
        Client::connect(&self.url(), NoTls).expect("a connection").execute(cut, &[]).expect("a cut");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        script("crash", &self.0);
    }
}

#[test]
fn a_killed_search_goes_on_and_ends_as_if_it_had_not_been() {
    let Some(server) = Server::start("pg-killed") else { return };
    let folder = server.shared("pg-killed-search", 40);
    killed(&folder, 40, 6, 1, |_| {});
    compare(&folder, 40, 4);
}

/// `cargo test --release --package cornu-tuner --features postgres -- --ignored kills`
#[test]
#[ignore = "takes a minute"]
fn three_hundred_kills_lose_nothing() {
    let Some(server) = Server::start("pg-kills") else { return };
    killed_often(&server.shared("pg-kills-search", 1000), 1, |_| {});
}

/// As above, with four processes at a time, of which one after the other is killed.
#[test]
#[ignore = "takes a minute"]
fn three_hundred_kills_of_four_workers_lose_nothing() {
    let Some(server) = Server::start("pg-kills-of-four") else { return };
    killed_often(&server.shared("pg-kills-of-four-search", 1000), 4, |_| {});
}

/// As above, and the server is away for a minute.
#[test]
#[ignore = "takes minutes"]
fn three_hundred_kills_and_a_minute_without_a_server_lose_nothing() {
    for workers in [1, 4] {
        let Some(server) = Server::start("pg-minute") else { return };
        killed_often(&server.shared("pg-minute-search", 1000), workers, |kill| {
            if kill == 150 {
                assert!(script("stop", &server.0));
                sleep(Duration::from_secs(60));
                assert!(script("start", &server.0));
            }
        });
    }
}

#[test]
fn processes_share_a_search_and_one_waits_for_the_other() {
    let Some(server) = Server::start("pg-shared") else { return };
    let folder = server.shared("pg-shared-search", 60);
    let mut children: Vec<Child> = (0..4).map(|_| start(&folder)).collect();
    assert!(children.iter_mut().all(|child| child.wait().expect("its end").success()));
    compare(&folder, 60, 4);
    waits(&server.place("waits"));
}

/// One that goes on takes up what another had under way: on one machine at once, elsewhere when it has waited for a while.
#[test]
fn trials_of_a_program_that_is_killed_are_given_out_again() {
    let Some(server) = Server::start("pg-dead") else { return };
    for elsewhere in [false, true] {
        let folder = server.shared(&format!("pg-dead-{elsewhere}"), 12);
        std::fs::write(folder.join("long"), "").unwrap();
        let mut first = process(&folder);
        if elsewhere {
            // What lies in another folder is as good as on another machine.
            std::fs::create_dir(folder.join("tmp")).unwrap();
            first.env("TMPDIR", folder.join("tmp"));
        }
        let (mut first, mut found) = (first.spawn().expect("a process"), tuner(&folder, 1));
        while found.reload().is_err() || found.trials().len() < 3 {
            sleep(Duration::from_millis(5));
        }
        first.kill().unwrap();
        first.wait().unwrap();
        assert!(start(&folder).wait().unwrap().success());
        compare(&folder, 12, LONG);
    }
}

/// Searches with four tuners of two threads; gives how often a trial was run, and the trials.
fn together(place: &Path, trials: u64, milliseconds: u64, meanwhile: impl FnOnce()) -> (usize, Vec<Trial>) {
    let runs = AtomicUsize::new(0);
    let search = || {
        let mut tuner = RandomSearch::default().max_trials(trials).seed(1).workers(2).directory(place);
        let ended = tuner.optimize(|hp| {
            runs.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(milliseconds));
            Ok(hp.float("x", 0.0..=1.0).get())
        });
        assert_eq!(ended.unwrap(), Finish::MaxTrials);
    };
    std::thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(search)));
        meanwhile();
    });
    let mut tuner = RandomSearch::default().directory(place);
    tuner.reload().unwrap();
    assert!(tuner.trials().iter().all(|trial| trial.status == Status::Completed));
    (runs.into_inner(), tuner.trials().to_vec())
}

/// What the trials are of a search in memory.
fn alone(trials: u64) -> Vec<Trial> {
    let mut tuner = RandomSearch::default().max_trials(trials).seed(1);
    tuner.optimize(|hp| Ok(hp.float("x", 0.0..=1.0).get())).unwrap();
    tuner.trials().to_vec()
}

#[test]
fn no_trial_runs_twice_though_connections_are_cut_and_the_server_is_stopped() {
    let Some(server) = Server::start("pg-away") else { return };
    let wanted = told(&alone(400));
    let (runs, found) = together(&server.place("quiet"), 400, 0, || {});
    assert_eq!((runs, told(&found) == wanted), (400, true));
    let (runs, found) = together(&server.place("cut"), 400, 10, || {
        for _ in 0..6 {
            sleep(Duration::from_millis(200));
            server.cut();
        }
    });
    assert_eq!((runs, told(&found) == wanted), (400, true));
    let (runs, found) = together(&server.place("stopped"), 400, 10, || {
        for command in ["stop", "crash"] {
            sleep(Duration::from_millis(300));
            assert!(script(command, &server.0));
            sleep(Duration::from_millis(1500));
            assert!(script("start", &server.0));
        }
    });
    assert_eq!((runs, told(&found) == wanted), (400, true));
}

/// A way to a server on which the answer to each third commit is lost, with the connection.
fn lossy(server: &Path, way: &Path) {
    fn copy(mut from: UnixStream, mut to: UnixStream, mut goes_on: impl FnMut(&[u8]) -> bool) {
        let mut bytes = [0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if !goes_on(&bytes[..count]) || to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        [from, to].iter().for_each(|end| _ = end.shutdown(Shutdown::Both));
    }
    const SOCKET: &str = ".s.PGSQL.5432";
    let (listener, server) = (UnixListener::bind(way.join(SOCKET)).expect("a socket"), server.join(SOCKET));
    let commits = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = UnixStream::connect(&server) else { continue };
            let lost = Arc::new(AtomicBool::new(false));
            let (back, forth) = ((server.try_clone(), client.try_clone()), (client, server));
            let (known, commits) = (Arc::clone(&lost), Arc::clone(&commits));
            let asked = move |bytes: &[u8]| {
                if bytes.windows(6).any(|word| word == b"COMMIT") {
                    // The first are those that connect and begin.
                    let count = commits.fetch_add(1, Ordering::Relaxed);
                    known.store(count > 8 && count.is_multiple_of(3), Ordering::Relaxed);
                }
                true
            };
            std::thread::spawn(move || copy(forth.0, forth.1, asked));
            let (Ok(from), Ok(to)) = back else { continue };
            std::thread::spawn(move || copy(from, to, |_| !lost.load(Ordering::Relaxed)));
        }
    });
}

#[test]
fn a_step_whose_end_nobody_was_told_of_is_neither_lost_nor_done_again() {
    let Some(server) = Server::start("pg-lossy") else { return };
    let way = Folder::new("pg-way");
    lossy(&server.0, &way);
    let runs = AtomicUsize::new(0);
    let search = |folder: &Path| {
        let place = server.place("lossy").display().to_string();
        let encoded = |folder: &Path| folder.display().to_string().replace('/', "%2F");
        let place = place.replace(&encoded(&server.0), &encoded(folder));
        let mut tuner = RandomSearch::default().max_trials(120).seed(1).workers(2).directory(place);
        let ended = tuner.optimize(|hp| {
            runs.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(30));
            Ok(hp.float("x", 0.0..=1.0).get())
        });
        assert_eq!(ended.unwrap(), Finish::MaxTrials);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| search(&server.0));
        search(&way);
    });
    let mut found = RandomSearch::default().directory(server.place("lossy"));
    found.reload().unwrap();
    assert!(found.trials().iter().all(|trial| trial.status == Status::Completed));
    assert_eq!((runs.into_inner(), told(found.trials()) == told(&alone(120))), (120, true));
}

#[test]
fn a_server_that_stays_away_ends_the_search_and_is_told() {
    let Some(server) = Server::start("pg-gone") else { return };
    let tuner = RandomSearch::default().max_trials(100_000).seed(1).workers(2).directory(server.place("gone"));
    let mut tuner = tuner.patience(Duration::from_millis(300));
    let begun = AtomicUsize::new(0);
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            while begun.load(Ordering::Relaxed) < 100 {
                sleep(Duration::from_millis(1));
            }
            assert!(script("stop", &server.0));
        });
        tuner.optimize(|hp| {
            begun.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(1));
            Ok(hp.float("x", 0.0..=1.0).get())
        })
    });
    let error = ended.unwrap_err().to_string();
    assert!(
        error.contains("the journal stays away") && error.contains("search `gone` in postgres://tests@"),
        "{error}"
    );
    assert!(error.contains("help: look whether the server runs") && !error.contains("hush"), "{error}");
}

#[test]
fn another_search_of_that_name_is_refused_and_written_over_when_asked() {
    let Some(server) = Server::start("pg-other") else { return };
    let (x, y) = rows(64);
    // A name is no part of a statement.
    let name = "'); DROP TABLE cornu_trials; -- ñandú #2";
    let search = |trials: u64, seed: u64| {
        let tuner = RandomSearch::new(build).objective("val_accuracy").max_trials(trials).seed(seed);
        tuner.directory(server.place(name))
    };
    search(2, 7).search(&x, &y, fit()).unwrap();
    let error = search(2, 8).search(&x, &y, fit()).unwrap_err().to_string();
    assert!(error.contains("there is another search: its seed is 7, here it is 8"), "{error}");
    assert!(error.contains(name) && !error.contains("hush"), "{error}");
    let mut more = search(4, 7);
    more.search(&x, &y, fit()).unwrap();
    let mut found = search(4, 7);
    found.reload().unwrap();
    assert_eq!((found.trials(), found.trials().len()), (more.trials(), 4));
    assert_eq!(found.get_best_models(2).unwrap()[1].weights(), more.get_best_models(2).unwrap()[1].weights());
    let mut anew = search(2, 8).overwrite(true);
    anew.search(&x, &y, fit()).unwrap();
    assert_eq!(anew.trials().len(), 2);
    let error = more.reload().unwrap_err().to_string();
    assert!(error.contains("it was removed"), "{error}");
}

#[test]
fn what_cannot_be_reached_is_told() {
    let told = |place: PathBuf| {
        let error = RandomSearch::default().directory(place).optimize(|_| Ok(0.0)).unwrap_err().to_string();
        assert!(!error.contains("hush") && error.contains("help: "), "{error}");
        error
    };
    let error = told("postgres://ana:hush@localhost/searches".into());
    assert!(error.contains("`postgres://ana@localhost/searches#` does not name the search"), "{error}");
    let error = told("postgres://ana:hush@localhost:x/searches#pima".into());
    assert!(
        error.contains("search `pima` in postgres://ana@localhost:x/searches: invalid connection string"),
        "{error}"
    );
    let error = told("postgresql://ana:hush@localhost:1/searches#pima".into());
    assert!(error.contains("help: look whether the server runs"), "{error}");
    let Some(server) = Server::start("pg-unreached") else { return };
    let other = |from: &str, to: &str| PathBuf::from(server.place("pima").display().to_string().replace(from, to));
    let error = told(other("/postgres#", "/nowhere#"));
    assert!(error.contains("database \"nowhere\" does not exist") && error.contains("`createdb NAME`"), "{error}");
    let error = told(other("tests:", "nobody:"));
    assert!(error.contains("role \"nobody\" does not exist") && error.contains("look at the user"), "{error}");
    let error = RandomSearch::default().directory(server.place("pima")).reload().unwrap_err().to_string();
    assert!(error.contains("there is no search in `postgres://tests@"), "{error}");
    let journal = PostgresJournal::connect(&server.url(), "pima").unwrap();
    let error = RandomSearch::default().journal(journal).reload().unwrap_err().to_string();
    assert!(error.contains("there is no such search"), "{error}");
    // Tables of another program.
    let mut client = Client::connect(&server.url(), NoTls).unwrap();
    client.batch_execute("DROP TABLE cornu_searches CASCADE; CREATE TABLE cornu_searches (name bytea)").unwrap();
    let error = told(server.place("pima"));
    assert!(error.contains("are of another program"), "{error}");
}

/// A training that goes on where no snapshot lies is repeated from its seeds.
#[test]
fn a_hyperband_of_several_programs_is_that_of_one() {
    let Some(server) = Server::start("pg-hyperband") else { return };
    let (x, y) = rows(64);
    let search = || Hyperband::new(build).objective("val_loss").max_epochs(4).factor(2).seed(9).workers(1);
    let mut whole = search();
    whole.search(&x, &y, fit()).unwrap();
    let scores = |tuner: &Hyperband| Vec::from_iter(tuner.trials().iter().map(|trial| trial.score));
    for stop in [3, 8] {
        let name = format!("stopped {stop}");
        // Each has a folder of its own for what it has trained.
        let journal = || PostgresJournal::connect(&server.url(), &name).unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let mut first = search().journal(journal()).hypermodel(move |hp: &mut HyperParameters| {
            // The first build declares the parameters.
            match count.fetch_add(1, Ordering::Relaxed) > stop {
                true => Err(cornu::Error::new(cornu::ErrorKind::Interrupted, "stopped")),
                false => build(hp),
            }
        });
        first.search(&x, &y, fit()).unwrap_err();
        drop(first);
        let mut second = search().journal(journal());
        second.search(&x, &y, fit()).unwrap();
        assert_eq!(scores(&second), scores(&whole));
    }
    assert!(tuner(&server.shared("pg-hyperband-none", 1), 1).reload().is_err());
}
