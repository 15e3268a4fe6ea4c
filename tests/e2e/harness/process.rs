//! A child process that does not outlive us, with its output in a file.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(10);

pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// Where this run begins in the log.
    log_start: u64,
    /// Kills the child should we die without a chance to; see [`Process::guarded`].
    guard: Option<Child>,
}

impl Process {
    /// Starts a program that ends when its standard input does (`--stop-on-stdin-close`): our own death ends it.
    pub fn spawn(name: &'static str, command: &mut Command, log: &Path) -> Self {
        let out = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let log_start = out.metadata().unwrap().len();
        command.stdin(Stdio::piped()).stdout(out.try_clone().unwrap()).stderr(out);
        let child = command.spawn().unwrap_or_else(|e| panic!("{name} ({command:?}) does not start: {e}"));
        Self { name, child, log: log.to_owned(), log_start, guard: None }
    }

    /// Starts a program that takes no notice of its standard input. A shell waits for ours to close and kills it then.
    pub fn guarded(name: &'static str, command: &mut Command, log: &Path) -> Self {
        let mut process = Self::spawn(name, command, log);
        let kill = format!("cat >/dev/null; kill -9 {} 2>/dev/null", process.pid());
        process.guard = Some(Command::new("sh").args(["-c", &kill]).stdin(Stdio::piped()).spawn().unwrap());
        process
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What this run has written so far.
    pub fn output(&self) -> String {
        let all = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(all.get(self.log_start as usize..).unwrap_or_default()).into_owned()
    }

    /// The first whole line that begins with `prefix`, without it.
    pub fn wait_for_line(&mut self, prefix: &str, within: Duration) -> String {
        let find = |process: &Self| {
            let output = process.output();
            output
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'))
                .find_map(|line| Some(line.strip_prefix(prefix)?.trim().to_owned()))
        };
        self.wait_for(&format!("a line {prefix:?}"), within, find)
    }

    /// The content of a file that the program writes at once.
    pub fn wait_for_file(&mut self, path: &Path, within: Duration) -> String {
        let read = |_: &Self| fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        self.wait_for(&path.display().to_string(), within, read)
    }

    fn wait_for<T>(&mut self, what: &str, within: Duration, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + within;
        loop {
            let ended = self.child.try_wait().unwrap(); // asked first, so that its last words are read
            if let Some(found) = look(self) {
                return found;
            }
            let (name, output) = (self.name, self.output());
            assert!(ended.is_none(), "{name} ended with {} before {what} appeared; it said:\n{output}", ended.unwrap_or_default());
            assert!(Instant::now() < deadline, "{name}: no {what} after {within:?}; it said:\n{output}");
            thread::sleep(POLL);
        }
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        self.try_wait(within).unwrap_or_else(|| panic!("{} still runs after {within:?}; it said:\n{}", self.name, self.output()))
    }

    fn try_wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            thread::sleep(POLL);
        }
    }

    /// SIGTERM, and the way it ends.
    pub fn term(&mut self, within: Duration) -> ExitStatus {
        self.signal("TERM");
        self.wait(within)
    }

    /// Sends a signal by name, such as STOP.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid())]).status().unwrap();
        assert!(sent.success(), "kill -{name} of {}", self.name);
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill(); // fails only if it has ended
        let _ = self.child.wait();
    }

    /// Closes its standard input and waits; kills it if that takes too long.
    pub fn stop(&mut self, within: Duration) {
        drop(self.child.stdin.take());
        if self.try_wait(within).is_none() {
            self.kill();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if let Some(guard) = &mut self.guard {
            // Before its input closes: the number may by then belong to another process.
            let _ = guard.kill();
            let _ = guard.wait();
        }
    }
}

/// The last lines of a log.
pub fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let skip = text.lines().count().saturating_sub(lines);
    text.lines().skip(skip).collect::<Vec<_>>().join("\n")
}
