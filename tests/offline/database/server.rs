//! One PostgreSQL for all these tests, started by the code of the emulated AWS. It stops in every case when this
//! process ends: its guardian waits for the end of a pipe.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use super::world::tool;

/// Starts a server, with TLS where it can, prints what a test has to know, and waits for the end.
const GUARDIAN: &str = r#"
import pathlib, shutil, subprocess, sys, tempfile
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from aws.postgres import Servers

home = pathlib.Path(tempfile.mkdtemp(prefix="kube-cfn-database.", dir="/tmp"))
home.chmod(0o711)
servers = Servers(home / "postgres")
try:
    if sys.argv[2]:
        servers._programs = pathlib.Path(sys.argv[2]).parent
        (home / "postgres").mkdir()
    port = servers.start("server", "super", "super", "postgres")
    programs = servers._programs / "bin"
    data = home / "postgres" / "server"

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=home)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "2",
            "-subj", "/CN=authority of this test")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    (home / "names").write_text("subjectAltName=DNS:localhost", encoding="utf-8")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "2", "-CAcreateserial",
            "-out", "server.crt", "-extfile", "names")
    for name in ("server.crt", "server.key"):
        shutil.copy(home / name, data / name)
        (data / name).chmod(0o600)
        servers._own(data / name)

    def ask(statement):
        return servers._run("psql", "-h", "127.0.0.1", "-p", str(port), "-U", "super", "-c", statement, "postgres",
                            PGPASSWORD="super")

    ask("ALTER SYSTEM SET log_statement = 'all'")
    ask(f"ALTER SYSTEM SET ssl_cert_file = '{data}/server.crt'")
    ask(f"ALTER SYSTEM SET ssl_key_file = '{data}/server.key'")
    try:
        ask("ALTER SYSTEM SET ssl = on")
        tls = "tls"
    except RuntimeError:
        tls = "plain"
    # Room for many tests at once, which takes a restart.
    servers._run("pg_ctl", "-D", data / "data", "-w", "-l", data / "log", "-o",
                 f"-p {port} -k '' -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200", "restart")
    print(port, programs, data / "log", home / "ca.crt", tls, sep="\n", flush=True)
    sys.stdin.read()
finally:
    servers.stop_all()
    shutil.rmtree(home, ignore_errors=True)
"#;

pub struct Server {
    pub port: u16,
    programs: PathBuf,
    log: PathBuf,
    /// What its certificate is checked against.
    pub authority: PathBuf,
    /// Whether it speaks TLS: the one that the test tools bring can't.
    pub tls: bool,
    /// Its guardian, which stops it when the pipe to it closes.
    _guardian: Child,
}

/// The server of these tests. `KUBE_CFN_TEST_POSTGRES` may name the `bin` directory of another one.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

fn start() -> Server {
    let emulator = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator");
    let other = std::env::var_os("KUBE_CFN_TEST_POSTGRES").unwrap_or_default();
    let mut guardian = Command::new(tool("python"))
        .args(["-c", GUARDIAN])
        .arg(emulator)
        .arg(other)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(guardian.stdout.take().unwrap()).lines();
    let mut line = || {
        lines
            .next()
            .expect("the PostgreSQL of the test tools did not start")
            .unwrap()
    };
    Server {
        port: line().parse().unwrap(),
        programs: line().into(),
        log: line().into(),
        authority: line().into(),
        tls: line() == "tls",
        _guardian: guardian,
    }
}

impl Server {
    /// The program that belongs to this server.
    pub fn psql(&self) -> PathBuf {
        self.programs.join("psql")
    }

    /// Everything the server has logged, which is every statement.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// What comes of statements in a database, one after the other.
    pub fn try_ask(
        &self,
        user: &str,
        password: &str,
        database: &str,
        statements: &[&str],
    ) -> Output {
        let mut psql = Command::new(self.psql());
        psql.args([
            "--no-psqlrc",
            "--no-password",
            "-At",
            "-v",
            "ON_ERROR_STOP=1",
        ])
        .envs([
            ("PGHOST", "localhost"),
            ("PGPORT", &self.port.to_string()),
            ("PGUSER", user),
            ("PGPASSWORD", password),
            ("PGDATABASE", database),
            ("LC_ALL", "C"),
        ]);
        for statement in statements {
            psql.args(["-c", statement]);
        }
        psql.output().unwrap()
    }

    /// The answer to statements of the superuser.
    pub fn ask(&self, database: &str, statements: &[&str]) -> String {
        let output = self.try_ask("super", "super", database, statements);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statements:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}
