use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::{os, run_with};
use super::*;

/// A home that is removed with everything in it. Use it before the cluster, so that it is dropped
/// after it.
pub(in super::super) struct Home(PathBuf);

impl Home {
    pub(in super::super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("promostack-test-{}-{number}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        Self(dir.canonicalize().unwrap())
    }

    pub(in super::super) fn path(&self) -> &Path {
        &self.0
    }

    pub(in super::super) fn settings(&self) -> Settings {
        Settings { home: self.0.clone(), durable: false, bin: None, path: None }
    }

    pub(in super::super) fn start(&self) -> Cluster {
        Cluster::start(&self.settings()).unwrap()
    }

    fn start_durable(&self) -> Cluster {
        Cluster::start(&Settings { durable: true, ..self.settings() }).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Cluster {
    pub(in super::super) fn parts_for_tests(&self) -> (Place, Account, Binaries) {
        let binaries = Binaries::find(&self.settings, None).unwrap();
        (self.place.clone(), self.account.clone(), binaries)
    }

    fn psql(&self, arguments: &[&str]) -> Command {
        let program = self.parts_for_tests().2.postgres().with_file_name("psql");
        let mut psql = Command::new(program);
        psql.args(["--no-psqlrc", "-qAt", self.url()]).args(arguments);
        psql
    }

    fn sql(&self, statement: &str) -> String {
        let output = self.psql(&["-c", statement]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn kill(&mut self) {
        os::signal(self.pid(), libc::SIGKILL).unwrap();
        let server = self.server.as_mut().unwrap();
        until("death", || server.ended().unwrap().is_some());
    }
}

fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let started = Instant::now();
    while !reached() {
        assert!(started.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn data_survives_an_orderly_end() {
    let home = Home::new();
    let cluster = home.start();
    assert!(cluster.owned());
    assert_eq!(cluster.sql("SELECT current_user || ' ' || current_database()"), "promostack promostack");
    assert_eq!(cluster.sql("SELECT getdatabaseencoding() || ' ' || lower('Ä')"), "UTF8 ä");
    assert_eq!(cluster.sql("SHOW timezone"), "UTC");
    cluster.sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)");
    let (pid, data) = (cluster.pid(), cluster.data_dir().to_owned());
    cluster.stop().unwrap();
    assert!(!is_server(pid, &data) && !data.join("postmaster.pid").exists());

    assert_eq!(home.start().sql("SELECT n FROM kept"), "42");
    assert!(!data.join("postmaster.pid").exists(), "dropping it stops it");
}

#[test]
fn a_durable_cluster_writes_to_disk() {
    let home = Home::new();
    let cluster = home.start_durable();
    assert_eq!(cluster.sql("SHOW fsync"), "on");
    assert_eq!(cluster.sql("SHOW synchronous_commit"), "on");
    assert_eq!(cluster.sql("SHOW shared_buffers"), "256MB");
    assert_eq!(cluster.sql("SHOW wal_compression"), "pglz");
}

#[test]
fn a_killed_server_is_started_again_with_its_data() {
    let home = Home::new();
    // A fleeting one may lose the last half second.
    let mut cluster = home.start_durable();
    cluster.sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)");
    assert!(!cluster.restart_if_dead().unwrap());
    let killed = cluster.pid();
    cluster.kill();
    assert!(cluster.restart_if_dead().unwrap());
    assert_ne!(cluster.pid(), killed);
    assert_eq!(cluster.sql("SELECT n FROM kept"), "42");
    assert!(!cluster.restart_if_dead().unwrap());
}

#[test]
fn a_killed_server_with_a_busy_connection_is_started_again() {
    let home = Home::new();
    let mut cluster = home.start_durable();
    let psql = cluster.psql(&["-c", "SELECT sum(n) FROM generate_series(1, 2e7) n"]);
    let mut busy = { psql }.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let active = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%2e7%'";
    until("the query", || cluster.sql(active) == "2");
    cluster.kill();
    assert!(cluster.restart_if_dead().unwrap());
    busy.wait().unwrap();
    assert_eq!(cluster.sql("SELECT 1"), "1");
}

#[test]
fn a_second_one_shares_and_then_takes_over() {
    let home = Home::new();
    let first = home.start();
    let mut second = home.start();
    assert!(!second.owned());
    assert_eq!((second.pid(), second.url()), (first.pid(), first.url()));
    assert_eq!(second.sql("SELECT 1"), "1");
    home.start().stop().unwrap();
    assert!(!second.restart_if_dead().unwrap(), "it runs, and was not ours to stop");

    first.stop().unwrap();
    assert!(second.restart_if_dead().unwrap());
    assert!(second.owned());
    assert_eq!(second.sql("SELECT 1"), "1");
}

#[test]
fn many_at_once_agree_on_one_owner() {
    let home = Home::new();
    let start = || home.start();
    let clusters: Vec<Cluster> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(clusters.iter().filter(|cluster| cluster.owned()).count(), 1);
    for cluster in &clusters {
        assert_eq!(cluster.sql("SELECT 1"), "1");
    }
}

#[test]
fn an_orphan_is_ended_first() {
    let home = Home::new();
    let mut cluster = home.start();
    cluster.sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)");
    // As if its owner had been killed on a system that does not tell the server.
    let orphan = std::mem::ManuallyDrop::new(cluster.server.take().unwrap());
    drop(cluster);
    assert!(is_server(orphan.pid(), &home.path().join("postgres/data")));

    let cluster = home.start();
    assert!(cluster.owned());
    assert_ne!(cluster.pid(), orphan.pid());
    assert_eq!(cluster.sql("SELECT n FROM kept"), "42");
    drop(std::mem::ManuallyDrop::into_inner(orphan));
}

#[test]
fn a_process_id_used_again_is_no_server() {
    let home = Home::new();
    let cluster = home.start();
    let (place, account, _) = cluster.parts_for_tests();
    cluster.stop().unwrap();
    // The server would take a process of its own user for itself.
    let mut stranger = account.command(Path::new("/bin/sleep")).arg("60").spawn().unwrap();
    let text = format!("{}\n{}\n0\n{PORT}\n\n\n\nready\n", stranger.id(), place.data.display());
    fs::write(place.data.join("postmaster.pid"), &text).unwrap();
    fs::write(place.socket_file().with_added_extension("lock"), &text).unwrap();
    let started = Cluster::start(&home.settings());
    let untouched = stranger.try_wait().unwrap().is_none();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert_eq!(started.unwrap().sql("SELECT 1"), "1");
    assert!(untouched);
}

#[test]
fn a_half_made_database_is_made_again() {
    let home = Home::new();
    let partial = home.path().join("postgres/data.partial");
    fs::create_dir_all(partial.join("base")).unwrap();
    fs::set_permissions(home.path().join("postgres"), Permissions::from_mode(0o711)).unwrap();
    fs::write(partial.join("PG_VERSION"), "15\n").unwrap();
    assert_eq!(home.start().sql("SELECT 1"), "1");
    assert!(!partial.exists());
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let home = Home::new();
    let data = home.path().join("postgres/data");
    fs::create_dir_all(&data).unwrap();
    if os::effective_uid() == 0 {
        std::os::unix::fs::chown(&data, Some(65534), Some(65534)).unwrap();
    }
    fs::write(data.join("precious"), "").unwrap();
    let refused = Cluster::start(&home.settings()).err().unwrap();
    assert!(matches!(refused, ClusterError::NotData { .. }), "{refused}");
    assert!(data.join("precious").exists());
}

#[test]
fn a_home_closed_to_the_server_is_left_for_elsewhere() {
    if os::effective_uid() != 0 {
        return;
    }
    let home = Home::new();
    let (closed, elsewhere) = (home.path().join("root"), home.path().join("elsewhere"));
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let settings = Settings { home: closed.join("app"), ..home.settings() };
    let start = || Cluster::start_with(&settings, &elsewhere).unwrap();
    let cluster = start();
    assert!(cluster.data_dir().starts_with(&elsewhere));
    assert!(cluster.note().unwrap().contains(elsewhere.to_str().unwrap()));
    cluster.sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)");
    assert!(!start().owned());
    cluster.stop().unwrap();
    assert_eq!(start().sql("SELECT n FROM kept"), "42");
}

#[test]
fn a_home_with_a_long_name_works() {
    let home = Home::new();
    let settings = Settings { home: home.path().join("ö, x".repeat(25)), ..home.settings() };
    let cluster = Cluster::start(&settings).unwrap();
    let socket = cluster.socket_dir().to_owned();
    assert!(socket.starts_with("/tmp"));
    assert_eq!(cluster.sql("SELECT 1"), "1");
    cluster.stop().unwrap();
    fs::remove_dir(socket).unwrap();
}

#[test]
fn commands_find_the_database() {
    let home = Home::new();
    let cluster = home.start();
    let psql = cluster.parts_for_tests().2.postgres().with_file_name("psql");
    let script = r#"by_host=$("$0" -qAtc 'SELECT 1')
            by_url=$("$0" "$DATABASE_URL" -qAtc 'SELECT 2')
            test $by_host$by_url = 12 || exit 1
        kill -INT $$; exit 3"#;
    let ended = run_with(&cluster, Command::new("sh").args(["-c", script]).arg(psql)).unwrap();
    assert_eq!(ended.signal(), Some(libc::SIGINT), "{ended}");
}

/// Not a test of its own: the process that the next one kills.
#[test]
#[ignore = "run by another test"]
fn owner_to_be_killed() {
    let home = std::env::current_dir().unwrap();
    if home.join("to-be-killed").exists() {
        let cluster = Cluster::start(&Settings { home, durable: true, bin: None, path: None }).unwrap();
        eprintln!("pid {}", cluster.pid());
        let _ = std::io::stdin().read(&mut [0]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_server_ends_when_its_owner_is_killed() {
    let home = Home::new();
    fs::write(home.path().join("to-be-killed"), "").unwrap();
    let (_, module) = module_path!().split_once("::").unwrap();
    let name = format!("{module}::owner_to_be_killed");
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--ignored", "--nocapture"])
        .current_dir(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stderr.take().unwrap()).lines().map_while(Result::ok);
    let pid = lines.find_map(|line| line.strip_prefix("pid ")?.parse().ok());
    let mut sharing = home.start();
    let shared = !sharing.owned() && Some(sharing.pid()) == pid;
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(shared);
    until("the server's end", || !is_server(sharing.pid(), sharing.data_dir()));
    let log = fs::read_to_string(sharing.log_file()).unwrap();
    assert!(log.contains("received fast shutdown request"), "{log}");
    assert!(sharing.restart_if_dead().unwrap() && sharing.owned());
    assert_eq!(sharing.sql("SELECT 1"), "1");
}
