//! Playing a sound and saying where it is.

use super::SoundFile;
use gloo::events::EventListener;
use gloo::timers::callback::Interval;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Time between two words on the position while playing, milliseconds: about
/// thirty a second look like steady movement.
const TICK_MS: u32 = 33;

/// What a player has to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlayerEvent {
    /// The browser can play this sound.
    Playable,
    /// The browser cannot, though it may have been analysed.
    NotPlayable,
    /// Playback is here, seconds.
    At(f64),
    /// It started or stopped.
    Playing(bool),
}

/// One sound, ready to be played. Dropping it stops it and frees its memory.
pub struct Player {
    audio: web_sys::HtmlAudioElement,
    url: String,
    ticker: Rc<RefCell<Option<Interval>>>,
    seeking_to: Rc<Cell<f64>>,
    _listeners: Vec<EventListener>,
}

impl Player {
    /// Prepares a sound; `None` where the browser has no player at all.
    pub fn new(file: &SoundFile, tell: impl Fn(PlayerEvent) + 'static) -> Option<Player> {
        let audio = web_sys::HtmlAudioElement::new().ok()?;
        let url = web_sys::Url::create_object_url_with_blob(file.blob()).ok()?;
        let tell = Rc::new(tell);
        let ticker: Rc<RefCell<Option<Interval>>> = Rc::default();
        let seeking_to = Rc::new(Cell::new(0.0));
        let listen = |event: &'static str, heard: Box<dyn Fn(&web_sys::HtmlAudioElement)>| {
            let audio_heard = audio.clone();
            EventListener::new(&audio, event, move |_| heard(&audio_heard))
        };
        let starts = {
            let (tell, ticker) = (tell.clone(), ticker.clone());
            move |audio: &web_sys::HtmlAudioElement| {
                tell(PlayerEvent::Playing(true));
                let (tell, audio) = (tell.clone(), audio.clone());
                let interval = Interval::new(TICK_MS, move || {
                    tell(PlayerEvent::At(audio.current_time()));
                });
                *ticker.borrow_mut() = Some(interval);
            }
        };
        let stops = {
            let (tell, ticker) = (tell.clone(), ticker.clone());
            move |audio: &web_sys::HtmlAudioElement| {
                ticker.borrow_mut().take();
                tell(PlayerEvent::At(audio.current_time()));
                tell(PlayerEvent::Playing(false));
            }
        };
        let playable = {
            let (tell, seeking_to) = (tell.clone(), seeking_to.clone());
            move |audio: &web_sys::HtmlAudioElement| {
                // A place chosen before the sound was known is taken up now.
                if seeking_to.get() > 0.0 {
                    audio.set_current_time(seeking_to.get());
                }
                tell(PlayerEvent::Playable);
            }
        };
        let fails = {
            let (tell, ticker) = (tell.clone(), ticker.clone());
            move |_: &web_sys::HtmlAudioElement| {
                ticker.borrow_mut().take();
                tell(PlayerEvent::Playing(false));
                tell(PlayerEvent::NotPlayable);
            }
        };
        let listeners = vec![
            listen("play", Box::new(starts)),
            listen("pause", Box::new(stops)),
            listen("loadedmetadata", Box::new(playable)),
            listen("error", Box::new(fails)),
        ];
        audio.set_src(&url);
        Some(Player {
            audio,
            url,
            ticker,
            seeking_to,
            _listeners: listeners,
        })
    }

    /// Plays from where it is, or from the beginning once the end is reached.
    pub fn play(&self) {
        // The promise is refused where the sound cannot be played, which the
        // error event tells too.
        if let Ok(promise) = self.audio.play() {
            wasm_bindgen_futures::spawn_local(async move {
                let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
            });
        }
    }

    /// Stops where it is.
    pub fn pause(&self) {
        // Pausing what does not play is no error.
        let _ = self.audio.pause();
    }

    /// Has another sound take this one's place: it goes on where this one is,
    /// and plays if this one does. Where the browser has no address left for
    /// it, this one stays.
    pub fn play_instead(&mut self, file: &SoundFile) {
        let Ok(url) = web_sys::Url::create_object_url_with_blob(file.blob()) else {
            return;
        };
        let (playing, position_s) = (!self.audio.paused(), self.audio.current_time());
        self.audio.set_src(&url);
        let last = std::mem::replace(&mut self.url, url);
        // An address that is gone already needs no revoking.
        let _ = web_sys::Url::revoke_object_url(&last);
        self.seek(position_s);
        if playing {
            self.play();
        }
    }

    /// Goes to a place, seconds.
    pub fn seek(&self, position_s: f64) {
        self.seeking_to.set(position_s);
        self.audio.set_current_time(position_s);
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self._listeners.clear();
        self.ticker.borrow_mut().take();
        self.pause();
        self.audio.set_src("");
        // An address that is gone already needs no revoking.
        let _ = web_sys::Url::revoke_object_url(&self.url);
    }
}
