//! Many kernels at once: as many as threads and memory allow, each with its share of the threads.
//!
//! Two kernels with one thread each are done sooner than one after the other with two, because not all of the work can
//! be shared. So kernels come first, and threads that are left over are shared among them.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use depsurf::Error;
use depsurf::kernel::KernelId;
use depsurf::progress::Progress;

use crate::exit;
use crate::output::Output;
use crate::progress::Bars;
use crate::terminal::Terminal;

/// What may be used.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// All kernels together.
    pub threads: usize,
    /// In bytes. A kernel that takes more is read alone.
    pub memory: u64,
}

/// A kernel to read.
pub struct Task<'a> {
    /// What the user calls it.
    pub name: String,
    /// Bytes of memory that it may take.
    pub need: u64,
    /// Reads and keeps it.
    #[allow(clippy::type_complexity, reason = "a function in a box")]
    pub work: Box<dyn FnOnce(&dyn Progress) -> depsurf::Result<Done> + Send + 'a>,
}

/// A kernel that is in the dataset now.
pub struct Done {
    pub kernel: KernelId,
    /// Whether it was there already.
    pub unchanged: bool,
    /// How it came there, in a few words.
    pub detail: Option<String>,
    /// What a person may want to know.
    pub notes: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// What became of a task.
struct Ended {
    result: depsurf::Result<Done>,
    took: Duration,
}

/// What a task takes while it runs.
struct Share {
    index: usize,
    threads: usize,
    need: u64,
}

/// Runs all tasks, prints the kernels' names in the order of the tasks, and tells what went wrong. Gives the exit status.
pub fn run(
    tasks: Vec<Task<'_>>,
    limits: Limits,
    terminal: &Terminal,
    output: &mut Output,
) -> anyhow::Result<u8> {
    let begun = Instant::now();
    let names: Vec<String> = tasks.iter().map(|task| task.name.clone()).collect();
    let bars = Bars::new(terminal, names.len());
    let mut report = Report {
        names: &names,
        terminal,
        output,
        bars: &bars,
        ended: Vec::new(),
        next: 0,
        counts: [0; 3],
        kernels: Vec::new(),
    };
    report.ended.resize_with(names.len(), || None);
    let mut waiting: VecDeque<(usize, Task<'_>)> = tasks.into_iter().enumerate().collect();
    let mut failed = None;
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let (mut threads, mut memory, mut running) = (limits.threads, limits.memory, 0);
        loop {
            while let Some((_, task)) = waiting.front() {
                let fits = threads > 0 && task.need <= memory;
                if running > 0 && !fits {
                    break;
                }
                let share = share(threads, memory, waiting.iter().map(|(_, task)| task.need));
                let Some((index, task)) = waiting.pop_front() else { break };
                let share = Share { index, threads: share, need: task.need };
                threads = threads.saturating_sub(share.threads);
                memory = memory.saturating_sub(share.need);
                running += 1;
                let (sender, bars) = (sender.clone(), &bars);
                scope.spawn(move || {
                    let ended = work(task, share.threads, bars);
                    // The receiver waits for all tasks.
                    let _ = sender.send((share, ended));
                });
            }
            if running == 0 {
                break;
            }
            let Ok((share, ended)) = receiver.recv() else { break };
            running -= 1;
            threads = (threads + share.threads).min(limits.threads);
            memory = (memory + share.need).min(limits.memory);
            if let Err(error) = report.take(share.index, ended) {
                // Nobody reads on: what runs is finished, nothing else is begun.
                waiting.clear();
                failed.get_or_insert(error);
            }
        }
    });
    let [added, unchanged, lost] = report.counts;
    bars.finish();
    if let Some(error) = failed {
        return Err(error);
    }
    if names.len() > 1 {
        let mut words = vec![format!("{added} added")];
        words.extend((unchanged > 0).then(|| format!("{unchanged} unchanged")));
        words.extend((lost > 0).then(|| format!("{lost} failed")));
        terminal.summary(format_args!("{} in {:.1} s", words.join(", "), begun.elapsed().as_secs_f64()));
    }
    Ok(if lost > 0 { exit::FAILED } else { exit::FINE })
}

/// How many threads the first of some tasks gets: its part among those that can run at the same time.
fn share(threads: usize, memory: u64, needs: impl Iterator<Item = u64>) -> usize {
    let mut left = memory;
    let beside = needs.take(threads.max(1)).take_while(|need| {
        let fits = *need <= left;
        left = left.saturating_sub(*need);
        fits
    });
    threads.div_ceil(beside.count().max(1)).max(1)
}

fn work(task: Task<'_>, threads: usize, bars: &Bars) -> Ended {
    let begun = Instant::now();
    let bar = bars.begin(&task.name);
    let work = || {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| Error::Usage {
            what: format!("cannot start threads: {error}"),
            help: Some("use fewer with --jobs".into()),
        })?;
        pool.install(|| (task.work)(&bar))
    };
    // One kernel must not take the others with it.
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(internal(panic.as_ref())));
    bar.end();
    Ended { result, took: begun.elapsed() }
}

fn internal(panic: &(dyn Any + Send)) -> Error {
    let what = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    Error::Usage {
        what: format!("a mistake in depsurf: {}", what.unwrap_or("it stopped")),
        help: Some("please report it with the file that shows it".into()),
    }
}

/// Tells what became of tasks, in their order.
struct Report<'a> {
    names: &'a [String],
    terminal: &'a Terminal,
    output: &'a mut Output,
    bars: &'a Bars,
    ended: Vec<Option<Ended>>,
    next: usize,
    /// Added, unchanged, failed.
    counts: [usize; 3],
    kernels: Vec<KernelId>,
}

impl Report<'_> {
    fn take(&mut self, index: usize, ended: Ended) -> anyhow::Result<()> {
        self.line(index, &ended);
        self.ended[index] = Some(ended);
        while let Some(ended) = self.ended.get_mut(self.next).and_then(Option::take) {
            let name = &self.names[self.next];
            self.next += 1;
            let (terminal, output, kernels) = (self.terminal, &mut *self.output, &mut self.kernels);
            let counts = &mut self.counts;
            let several = self.names.len() > 1;
            self.bars.suspend(|| match ended.result {
                Ok(done) => {
                    counts[usize::from(done.unchanged)] += 1;
                    for warning in done.warnings {
                        terminal.warning(about(several, name, &warning));
                    }
                    for note in done.detail.filter(|_| !several).into_iter().chain(done.notes) {
                        terminal.note(about(several, name, &note));
                    }
                    if kernels.contains(&done.kernel) {
                        terminal
                            .warning(format_args!("`{}` was given twice; one of them is kept", done.kernel));
                    }
                    let line = output.line(&done.kernel).and_then(|()| output.flush());
                    kernels.push(done.kernel);
                    line
                }
                Err(error) => {
                    counts[2] += 1;
                    terminal.error(&error.into());
                    Ok(())
                }
            })?;
        }
        Ok(())
    }

    /// One line as soon as a kernel is done, among several.
    fn line(&self, index: usize, ended: &Ended) {
        if self.names.len() == 1 {
            return;
        }
        let what = match &ended.result {
            Ok(done) if done.unchanged => format!("unchanged: {}", done.kernel),
            Ok(Done { kernel, detail: Some(detail), .. }) => format!("added {kernel}, {detail}"),
            Ok(done) => format!("added {}", done.kernel),
            Err(_) => "failed".into(),
        };
        let line = format!("{:>7.2} s  {}: {what}", ended.took.as_secs_f64(), self.names[index]);
        self.bars.suspend(|| self.terminal.summary(line));
    }
}

fn about(several: bool, name: &str, text: &str) -> String {
    if several { format!("{name}: {text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_shared_among_what_can_run_at_once() {
        let share = |threads, memory, needs: &[u64]| share(threads, memory, needs.iter().copied());
        assert_eq!(share(8, 100, &[10]), 8);
        assert_eq!(share(8, 100, &[10, 10]), 4);
        assert_eq!(share(8, 100, &[10; 20]), 1);
        // Memory is for two only, so each gets half of the threads.
        assert_eq!(share(8, 25, &[10; 20]), 4);
        assert_eq!(share(8, 5, &[10; 20]), 8);
        assert_eq!(share(3, 100, &[10, 10]), 2);
        assert_eq!(share(0, 100, &[10]), 1);
    }
}
