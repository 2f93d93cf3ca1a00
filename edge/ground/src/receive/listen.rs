//! Listens at ports, one or many: a thread each, one archive, one station.

use super::{ReceiveError, Receiver, Show};
use crate::error::{Error, Result, chain};
use crate::message::Taken;
use crate::uplink::{At, Due};
use cssa_link::Port;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a port is listened to before a signal is looked for.
const WAIT: Duration = Duration::from_millis(200);
/// Between two tries of what failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an archive that takes nothing is tried; a server that is away is waited for without an end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A port that is listened at.
pub enum Listening {
    /// Its vehicles are answered, and get their commands.
    Answering(Box<dyn Port>),
    /// What was recorded: nobody is at the other end.
    Recorded(Box<dyn Port>),
}

/// Is told of every packet as [`Show`] is, by the threads of all ports in turn.
pub type ShowAll<'a, E> = &'a mut (dyn FnMut(&str, &Result<Taken, ReceiveError>) -> Result<(), E> + Send);

/// What one thread of a receiver does at its port.
struct Listener<'a, 'b, F: ?Sized> {
    receiver: &'a Mutex<&'b mut Receiver>,
    show: &'a Mutex<&'b mut F>,
    /// How each port is.
    ports: &'a Mutex<Vec<State>>,
    /// Another port's listener has ended all.
    is_over: &'a AtomicBool,
    stop: &'a AtomicBool,
    number: usize,
    is_answered: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Untried,
    /// It has worked once; what fails then comes back (a line that was pulled out).
    Worked,
    NeverWorked,
}

impl Receiver {
    /// Receives until a file ends or `stop`; every packet is shown to `show`. A port that has worked and fails (a line that was pulled
    /// out) is tried again, and for a minute so is an archive (locked, or on a full disk), and without an end a server that is away: what
    /// was not kept is not acknowledged. What fails is said once until it works again.
    pub fn receive<E: From<Error>>(
        &mut self,
        port: &mut dyn Port,
        stop: &AtomicBool,
        mut show: Show<'_, E>,
    ) -> Result<(), E> {
        let (receiver, show) = (Mutex::new(self), Mutex::new(&mut show));
        let (ports, is_over) = (Mutex::new(vec![State::Untried]), AtomicBool::new(false));
        let (receiver, show, ports, is_over) = (&receiver, &show, &ports, &is_over);
        Listener { receiver, show, ports, is_over, stop, number: 0, is_answered: true }.listen(port)
    }

    /// The same at several ports at once, until all have ended or `stop`. A port that fails, also at the start, is tried again and stops
    /// no other; an error is that none of them ever worked, or one of the archive or of `show`, which ends all.
    pub fn receive_all<E: From<Error> + Send>(
        &mut self,
        all: Vec<Listening>,
        stop: &AtomicBool,
        show: ShowAll<'_, E>,
    ) -> Result<(), E> {
        let (receiver, show) = (Mutex::new(self), Mutex::new(show));
        let (ports, is_over) = (Mutex::new(vec![State::Untried; all.len()]), AtomicBool::new(false));
        let (receiver, show, ports, is_over) = (&receiver, &show, &ports, &is_over);
        std::thread::scope(|scope| {
            let listen = |(number, listening)| {
                let (mut port, is_answered) = match listening {
                    Listening::Answering(port) => (port, true),
                    Listening::Recorded(port) => (port, false),
                };
                let mut listener = Listener { receiver, show, ports, is_over, stop, number, is_answered };
                scope.spawn(move || {
                    let ended = listener.listen(port.as_mut());
                    if ended.is_err() {
                        listener.is_over.store(true, Ordering::Relaxed);
                    }
                    ended
                })
            };
            let threads: Vec<_> = all.into_iter().enumerate().map(listen).collect();
            let ended = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            ended.collect::<Vec<_>>().into_iter().collect()
        })
    }
}

fn locked<'a, T>(mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<F, E> Listener<'_, '_, F>
where
    F: FnMut(&str, &Result<Taken, ReceiveError>) -> Result<(), E> + ?Sized,
    E: From<Error>,
{
    fn listen(&mut self, port: &mut dyn Port) -> Result<(), E> {
        let (mut last, mut failure) = (String::new(), None);
        while !self.is_stopped() {
            let heard = match port.receive(WAIT) {
                Ok(heard) => heard,
                Err(error) => {
                    let error = Error::from(error);
                    if self.is_hopeless() {
                        return Err(error.into());
                    }
                    locked(self.receiver).count.failures += 1;
                    if failure.is_none() {
                        self.say_failed(&error)?;
                    }
                    failure.get_or_insert_with(|| chain(&error));
                    std::thread::sleep(PAUSE);
                    continue;
                }
            };
            if let Some(failure) = failure.take() {
                tracing::info!("the port works again, of which was said: {failure}");
            }
            locked(self.ports)[self.number] = State::Worked;
            let peer = heard.peer.unwrap_or_else(|| heard.from.clone());
            for found in heard.found {
                let taken = match found {
                    Ok(bytes) => self.take_patiently(&heard.from, &peer, &bytes)?,
                    Err(error) => {
                        locked(self.receiver).count.damaged += error.problems();
                        Err(error.into())
                    }
                };
                self.say(&heard.from, &taken)?;
                // An acknowledgement has a later number: what is to be done goes first.
                self.command(port, &peer)?;
                if let Err(error) = self.answer(port, &heard.from, &taken) {
                    self.archive_failed(&error)?;
                }
            }
            if !peer.is_empty() {
                last = peer;
            }
            self.command(port, &last)?;
            let kept = locked(self.receiver).keep_due_parts();
            kept.or_else(|error| self.archive_failed(&error))?;
            locked(self.receiver).missed(Instant::now()).iter().for_each(|missed| tracing::warn!("{missed}"));
            locked(self.receiver).set_missing(self.number, port.missing());
            if heard.ended {
                break;
            }
        }
        let kept = locked(self.receiver).keep_parts();
        kept.or_else(|error| self.archive_failed(&error))
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.is_over.load(Ordering::Relaxed)
    }

    /// Notes that the port fails; whether no port ever worked.
    fn is_hopeless(&self) -> bool {
        let mut ports = locked(self.ports);
        if ports[self.number] == State::Untried {
            ports[self.number] = State::NeverWorked;
        }
        ports.iter().all(|port| *port == State::NeverWorked)
    }

    fn say(&self, sender: &str, taken: &Result<Taken, ReceiveError>) -> Result<(), E> {
        locked(self.show)(sender, taken)
    }

    fn say_failed(&self, error: &Error) -> Result<(), E> {
        self.say("ground", &Err(ReceiveError::Failed(chain(error))))
    }

    /// Takes a packet, again and again for a minute where the archive does not, or until its server is there again: a file's packet would
    /// not come again.
    fn take_patiently(&self, sender: &str, peer: &str, bytes: &[u8]) -> Result<Result<Taken, ReceiveError>, E> {
        let began = Instant::now();
        loop {
            let at = self.is_answered.then(|| At { port: self.number, peer: peer.to_owned() });
            let taken = locked(self.receiver).take_of(at.as_ref(), sender, bytes, Instant::now());
            match taken {
                Err(error) if !self.is_stopped() && (error.is_passing() || began.elapsed() < PATIENCE) => {
                    self.archive_failed(&error)?;
                }
                Ok(Ok(taken)) => {
                    if std::mem::take(&mut locked(self.receiver).is_failing) {
                        tracing::info!("the archive works again");
                    }
                    return Ok(Ok(taken));
                }
                taken => return Ok(taken?),
            }
        }
    }

    fn answer(&self, port: &mut dyn Port, to: &str, taken: &Result<Taken, ReceiveError>) -> Result<()> {
        let (Ok(taken), true) = (taken, self.is_answered) else { return Ok(()) };
        let answers = locked(self.receiver).answers(to, taken)?;
        self.send(port, &answers);
        Ok(())
    }

    /// One that does not go out is as one that is lost on the way: the packet will come again.
    fn send(&self, port: &mut dyn Port, packets: &[Vec<u8>]) {
        let sent = packets.iter().filter(|packet| port.send(packet).is_ok()).count();
        locked(self.receiver).count.answers += sent as u64;
    }

    /// Sends commands to whom the port reaches, who was heard last; says which were in vain.
    fn command(&self, port: &mut dyn Port, to: &str) -> Result<(), E> {
        let due = locked(self.receiver).due_at(self.number, to, Instant::now());
        let all = match due {
            Ok(all) => all,
            Err(error) => return self.archive_failed(&error),
        };
        for due in all {
            match due {
                Due::Send(packet) => self.send(port, &[packet]),
                Due::GivenUp(unanswered) => self.say(to, &Err(unanswered.into()))?,
            }
        }
        Ok(())
    }

    /// Says once what is wrong with the archive, and waits a little.
    fn archive_failed(&self, error: &Error) -> Result<(), E> {
        let is_known = {
            let mut receiver = locked(self.receiver);
            receiver.count.failures += 1;
            std::mem::replace(&mut receiver.is_failing, true)
        };
        if !is_known {
            self.say_failed(error)?;
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }
}
