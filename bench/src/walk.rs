//! Walking the contacts of a large company: what it costs in memory does not grow with the company.
//!
//! The simulated DingTalk is a process of its own, because it keeps all people and every answer it gave.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use dingtalk::{Client, Credentials, Endpoints};

use crate::machine::field;
use crate::places::Places;
use crate::process::free_port;
use crate::report::{Goal, Line, Unit};

/// Departments below the root, in three levels.
const DEPARTMENTS: u32 = 5_000;
/// People of each.
const PEOPLE: u32 = 20;
/// Departments of a first walk, after which connections, token and the allocator's own memory are there.
const FIRST: u32 = 100;
/// How long the simulator may take to read the company.
const START: Duration = Duration::from_secs(120);

/// Measures mebibytes that the walk of 100,000 people adds, and people per second.
pub(crate) async fn measure(places: &Places) -> anyhow::Result<Vec<Line>> {
    let folder = places.fresh("walk")?;
    let small = walk(places, &folder, FIRST).await?;
    ensure!(
        small.people == u64::from(FIRST * PEOPLE),
        "the first walk missed people"
    );
    let large = walk(places, &folder, DEPARTMENTS).await?;
    let people = u64::from(DEPARTMENTS * PEOPLE);
    ensure!(
        large.people == people,
        "the walk met {} people",
        large.people
    );
    Ok(vec![
        Line::absolute(
            "contacts walk, 100,000 people, memory added",
            Unit::Mebibytes,
            Goal::Below(16.0),
            large.added,
        ),
        Line::absolute(
            "contacts walk, people",
            Unit::PerSecond,
            Goal::Shown,
            large.per_second,
        ),
    ])
}

struct Walked {
    people: u64,
    /// Mebibytes at the most beyond those before the walk.
    added: f64,
    per_second: f64,
}

async fn walk(places: &Places, folder: &Path, departments: u32) -> anyhow::Result<Walked> {
    let address = free_port()?;
    let _simulator = Simulator::start(places, folder, departments, address).await?;
    let client = client(address)?;
    let before = resident()?;
    let start = Instant::now();
    let (mut people, mut most) = (0_u64, before);
    let mut walk = client.walk_contacts("1")?;
    while let Some(visit) = walk.next().await? {
        people += visit.users.len() as u64;
        most = most.max(resident()?);
    }
    #[allow(clippy::cast_precision_loss, reason = "a count of people is small")]
    let per_second = people as f64 / start.elapsed().as_secs_f64();
    Ok(Walked {
        people,
        added: most - before,
        per_second,
    })
}

fn client(address: SocketAddr) -> anyhow::Result<Client> {
    let base = format!("http://{address}");
    let endpoints = Endpoints {
        oapi: base.parse()?,
        api: base.parse()?,
    };
    let credentials = Credentials {
        app_key: "dingkey".to_owned(),
        app_secret: dingtalk::Secret::new("secret"),
        agent_id: None,
        robot_code: "dingkey".to_owned(),
    };
    let options = dingtalk::Options {
        pace: dingtalk::Pace::lifted(),
        ..dingtalk::Options::default()
    };
    Ok(Client::with_options(credentials, endpoints, options)?)
}

/// A running `belfry simulator`; dropping it ends it.
struct Simulator(Child);

impl Simulator {
    async fn start(
        places: &Places,
        folder: &Path,
        departments: u32,
        address: SocketAddr,
    ) -> anyhow::Result<Self> {
        let (company, config) = (folder.join("company.toml"), folder.join("bot.toml"));
        write_company(&company, departments)?;
        let app = "[[app]]\nname = \"acme\"\ncorp-id = \"dingcorp\"\napp-key = \"dingkey\"\napp-secret = \"secret\"\n";
        fs::write(&config, app)?;
        let child = Command::new(places.belfry()?)
            .args(["simulator", "--rate-limit", "0", "--listen"])
            .arg(address.to_string())
            .arg("--config")
            .arg(config)
            .arg("--company")
            .arg(company)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the simulator")?;
        let mut simulator = Self(child);
        let start = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            ensure!(
                simulator.0.try_wait()?.is_none(),
                "the simulator ended at once"
            );
            ensure!(
                start.elapsed() < START,
                "the simulator was not ready in time"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(simulator)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Departments in three levels, each but the root with people. Written piece by piece, so that the measured process has
/// no room left over from it.
fn write_company(path: &Path, departments: u32) -> anyhow::Result<()> {
    let mut file = BufWriter::new(fs::File::create(path)?);
    writeln!(file, "[[department]]\nid = 1\nname = \"公司\"")?;
    for number in 0..departments {
        let (id, parent) = (number + 2, if number < 50 { 1 } else { number / 50 + 1 });
        writeln!(
            file,
            "[[department]]\nid = {id}\nparent = {parent}\nname = \"部门{id}\""
        )?;
        for person in 0..PEOPLE {
            writeln!(
                file,
                "[[person]]\nuserid = \"u{id}-{person}\"\nname = \"员工{person}\"\ntitle = \"工程师\"\ndepartments = [{id}]"
            )?;
        }
    }
    Ok(file.flush()?)
}

fn resident() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status").context("cannot read the memory")?;
    let kib: f64 = field(&status, "VmRSS")
        .trim_end_matches(" kB")
        .parse()
        .context("the system does not tell the resident memory")?;
    Ok(kib / 1024.0)
}
