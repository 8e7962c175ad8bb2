//! Draws how far long work is: the current step with a bar, and a line for every finished one.
//!
//! Nothing is drawn in the first second, and nothing at all when standard error is not a terminal.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use depsurf::progress::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal::Terminal;

/// Work that takes less is not worth a line.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the bar is drawn again.
const TICK: Duration = Duration::from_millis(100);

/// Steps from this size on are counted in MB: they count bytes. No step has as many items.
const BYTES_FROM: u64 = 1 << 22;

/// Draws on the terminal.
pub struct Bar {
    bar: ProgressBar,
    state: Arc<Mutex<State>>,
}

struct State {
    begun: Instant,
    /// The current step and when it began.
    step: Option<(String, Instant)>,
    /// Lines that were due before anything was drawn.
    held_back: Vec<String>,
    /// Whether a thread shall be started that begins to draw.
    draw: bool,
    visible: bool,
    finished: bool,
}

impl Bar {
    /// Begins; draws only where `terminal` wants progress.
    pub fn new(terminal: &Terminal) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let state = Arc::new(Mutex::new(State {
            begun: Instant::now(),
            step: None,
            held_back: Vec::new(),
            draw: terminal.shows_progress(),
            visible: false,
            finished: false,
        }));
        Self { bar, state }
    }

    /// Begins to draw after a while; from the first step on, because most commands have none.
    fn draw_soon(&self, state: &mut State) {
        if mem::take(&mut state.draw) {
            let (bar, state) = (self.bar.clone(), Arc::clone(&self.state));
            thread::spawn(move || {
                thread::sleep(PATIENCE);
                let mut state = lock(&state);
                if !state.finished {
                    state.show(&bar);
                }
            });
        }
    }

    /// Lets `say` write to the terminal between two drawings.
    pub fn suspend<T>(&self, say: impl FnOnce() -> T) -> T {
        self.bar.suspend(say)
    }

    /// Ends the last step and takes the bar away.
    pub fn finish(self) {
        let mut state = lock(&self.state);
        state.end_step(&self.bar);
        let total = state.begun.elapsed();
        state.line(&self.bar, timed(total, "in all"));
        state.finished = true;
        self.bar.finish_and_clear();
    }
}

impl State {
    fn show(&mut self, bar: &ProgressBar) {
        self.visible = true;
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.enable_steady_tick(TICK);
        for line in self.held_back.drain(..) {
            bar.println(line);
        }
    }

    fn end_step(&mut self, bar: &ProgressBar) {
        if let Some((name, begun)) = self.step.take() {
            self.line(bar, timed(begun.elapsed(), &name));
        }
    }

    fn line(&mut self, bar: &ProgressBar, line: String) {
        if self.visible {
            bar.println(line);
        } else {
            self.held_back.push(line);
        }
    }
}

impl Progress for Bar {
    fn step(&self, name: &str, total: Option<u64>) {
        let mut state = lock(&self.state);
        self.draw_soon(&mut state);
        state.end_step(&self.bar);
        state.step = Some((name.to_owned(), Instant::now()));
        let template = match total {
            None => "{elapsed:>9}  {spinner} {msg}",
            Some(total) if total >= BYTES_FROM => {
                "{elapsed:>9}  {spinner} {msg} {wide_bar} {bytes}/{total_bytes}, {eta} left"
            }
            Some(_) => "{elapsed:>9}  {spinner} {msg} {wide_bar} {pos}/{len}, {eta} left",
        };
        // First of all, so that no frame shows the new step with the time of the old one.
        self.bar.reset_elapsed();
        self.bar.set_style(ProgressStyle::with_template(template).expect("templates are constant"));
        self.bar.set_message(name.to_owned());
        self.bar.set_position(0);
        match total {
            Some(total) => self.bar.set_length(total),
            None => self.bar.unset_length(),
        }
        self.bar.reset_eta();
    }

    fn advance(&self, amount: u64) {
        self.bar.inc(amount);
    }
}

/// How far several kernels are, a line for each that is being read; of a single one the steps that are done, too.
pub struct Bars {
    several: Option<MultiProgress>,
    single: Option<Bar>,
}

/// One kernel among those that are being read.
pub struct One<'a> {
    single: Option<&'a Bar>,
    several: Option<(&'a MultiProgress, ProgressBar)>,
}

impl Bars {
    /// Begins with as many kernels.
    pub fn new(terminal: &Terminal, kernels: usize) -> Self {
        if kernels <= 1 {
            return Self { several: None, single: Some(Bar::new(terminal)) };
        }
        let target = match terminal.shows_progress() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Self { several: Some(MultiProgress::with_draw_target(target)), single: None }
    }

    /// A kernel is begun.
    pub fn begin(&self, name: &str) -> One<'_> {
        let several = self.several.as_ref().map(|several| {
            let bar = several.add(ProgressBar::new_spinner());
            let name = name.rsplit('/').next().unwrap_or(name).to_owned();
            bar.set_style(ProgressStyle::with_template(LINE).expect("templates are constant"));
            bar.set_prefix(name);
            bar.enable_steady_tick(TICK);
            (several, bar)
        });
        One { single: self.single.as_ref(), several }
    }

    /// Lets `say` write to the terminal between two drawings.
    pub fn suspend<T>(&self, say: impl FnOnce() -> T) -> T {
        match (&self.several, &self.single) {
            (Some(several), _) => several.suspend(say),
            (None, Some(single)) => single.suspend(say),
            (None, None) => say(),
        }
    }

    /// Takes everything away.
    pub fn finish(self) {
        if let Some(single) = self.single {
            single.finish();
        }
    }
}

/// A kernel among several.
const LINE: &str = "{elapsed:>9}  {spinner} {prefix}: {msg} {wide_bar}";

impl One<'_> {
    /// The kernel is done.
    pub fn end(self) {
        if let Some((several, bar)) = self.several {
            bar.finish_and_clear();
            several.remove(&bar);
        }
    }
}

impl Progress for One<'_> {
    fn step(&self, name: &str, total: Option<u64>) {
        if let Some((_, bar)) = &self.several {
            bar.set_message(name.to_owned());
            bar.set_position(0);
            bar.set_length(total.unwrap_or(1));
        }
        if let Some(single) = self.single {
            single.step(name, total);
        }
    }

    fn advance(&self, amount: u64) {
        if let Some((_, bar)) = &self.several {
            bar.inc(amount);
        }
        if let Some(single) = self.single {
            single.advance(amount);
        }
    }
}

fn timed(time: Duration, what: &str) -> String {
    format!("{:>7.2} s  {what}", time.as_secs_f64())
}

/// A thread that panicked while it reported progress leaves nothing half-done in here.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
