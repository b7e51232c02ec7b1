//! A plugin, its client, and what they own on a device: each thing of theirs has one owner here, that gives it back.

use std::collections::HashMap;
use std::ffi::{c_char, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cornu_graph::{Array, Buffer as Elements, DType, Element, Error, Result, Shape};

use crate::error;
use crate::ffi::{
    Api, Buffer, BufferArgs, BufferFromHost, Client as RawClient, ClientCompile, ClientCreate, ClientDevices,
    ClientText, Code, Device, Error as RawError, ErrorDestroy, ErrorGetCode, ErrorMessage, Event, EventArgs,
    ExecutableArgs, Execute, ExecuteOptions, GetExecutable, LoadedArgs, LoadedExecutable, NumOutputs, PluginInitialize,
    ToHost,
};
use crate::options::OPTIONS;

/// The major version that is spoken here.
const MAJOR: i32 = 0;

/// A loaded plugin. It is never unloaded: its threads outlive its clients.
#[derive(Clone, Copy)]
struct Plugin(&'static Api);

/// Calls an entry of the table.
macro_rules! call {
    ($plugin:expr, $entry:ident, $args:expr) => {{
        let plugin: Plugin = $plugin;
        let entry = plugin.0.$entry.ok_or_else(|| lacks(stringify!($entry)));
        // SAFETY: the arguments are of the entry's type, and what they point to lives until the call is over.
        entry.and_then(|entry| plugin.check(unsafe { entry($args) }))
    }};
}

fn lacks(entry: &str) -> Error {
    Error::unsupported(format!("the plugin has no `{entry}`")).help("install another version of it")
}

/// A text that a plugin points to.
///
/// # Safety
/// There are so many bytes, or the pointer is null.
unsafe fn text(start: *const c_char, len: usize) -> String {
    if start.is_null() {
        return String::new();
    }
    // SAFETY: the caller's.
    String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(start.cast(), len) }).into_owned()
}

impl Plugin {
    fn load(path: &Path) -> Result<Plugin> {
        let name = path.display();
        let fetch = "a plugin is one file, such as `xla_cpu_pjrt.so` of PyPI's `xla-cpu-pjrt`; see docs/xla.md";
        if !path.is_file() {
            return Err(Error::file(format!("there is no PJRT plugin at `{name}`")).help(fetch));
        }
        // SAFETY: that its constructors are sound is the matter of whoever named the file.
        let library = unsafe { libloading::Library::new(path) };
        let library = library.map_err(|error| {
            Error::file(format!("`{name}` cannot be loaded as a PJRT plugin: {error}")).help(fetch).caused_by(error)
        })?;
        // SAFETY: this is the signature of the entry of that name.
        let get = unsafe { library.get::<unsafe extern "C" fn() -> *const Api>(b"GetPjrtApi\0") };
        let Ok(get) = get.map(|get| *get) else {
            return Err(Error::file(format!("`{name}` is no PJRT plugin: it has no `GetPjrtApi`")).help(fetch));
        };
        std::mem::forget(library);
        // SAFETY: what it gives is a table, which lives as long as the library: it stays.
        unsafe { Self::of(get()) }.map_err(|error| error.context(format_args!("`{name}`")))
    }

    /// The plugin of a table, if it can be spoken to.
    ///
    /// # Safety
    /// It is null, or a table of some version that lives as long as the process.
    unsafe fn of(api: *const Api) -> Result<Plugin> {
        if api.is_null() {
            return Err(Error::file("a PJRT plugin gave no table"));
        }
        // SAFETY: every version of the table begins with its size and the version, which is all that is read of it.
        let (size, version) = unsafe { ((*api).struct_size, &(*api).version) };
        let said = format!("PJRT {}.{}", version.major, version.minor);
        if version.major != MAJOR {
            let message = format!("needs a plugin of PJRT {MAJOR}, got {said}, which is too new");
            return Err(Error::unsupported(message).help("install an older version of it, or a newer cornu"));
        }
        if size < size_of::<Api>() {
            let message = format!("needs a table of {} bytes, got {said} with {size}, too old", size_of::<Api>());
            return Err(Error::unsupported(message).help("install a newer version of it"));
        }
        // SAFETY: the table has all that is used of it, and lives as long as the plugin, which is never unloaded.
        let plugin = Plugin(unsafe { &*api });
        call!(plugin, plugin_initialize, &mut PluginInitialize::new())?;
        Ok(plugin)
    }

    /// What an entry says; its error has the plugin's code and text.
    fn check(self, error: *mut RawError) -> Result<()> {
        if error.is_null() {
            return Ok(());
        }
        let (mut message, mut code, mut destroy) = (ErrorMessage::new(), ErrorGetCode::new(), ErrorDestroy::new());
        (message.error, code.error, destroy.error) = (error, error, error);
        let Api { error_message, error_get_code, error_destroy, .. } = self.0;
        // SAFETY: the error is alive until the last line, and its text is copied before.
        let said = unsafe {
            error_message.iter().for_each(|entry| entry(&mut message));
            error_get_code.iter().for_each(|entry| _ = entry(&mut code));
            let said = text(message.message, message.message_size);
            error_destroy.iter().for_each(|entry| entry(&mut destroy));
            said
        };
        Err(error::said(code.code, &said))
    }
}

/// How much of what a plugin owns is alive.
#[derive(Debug, Default)]
pub(crate) struct Count {
    /// Buffers and programs.
    pub(crate) things: AtomicUsize,
    /// Of buffers.
    pub(crate) bytes: AtomicUsize,
}

impl Count {
    fn add(&self, bytes: usize) {
        self.things.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn remove(&self, bytes: usize) {
        self.things.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A plugin's client: one for the process, with its first device.
pub(crate) struct Client {
    plugin: Plugin,
    raw: *mut RawClient,
    device: *mut Device,
    /// As the plugin says: `cpu`.
    pub(crate) platform: String,
}

// SAFETY: PJRT's clients, and what they own, may be used from all threads.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    /// The client of the plugin at that path, which is loaded once.
    ///
    /// # Errors
    /// A plugin that is not there, cannot be loaded, is none or of another version; no device.
    pub(crate) fn at(path: &Path) -> Result<&'static Client> {
        static CLIENTS: Mutex<Option<HashMap<PathBuf, &'static Client>>> = Mutex::new(None);
        let place = path.canonicalize().unwrap_or_else(|_| path.into());
        let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
        let clients = clients.get_or_insert_default();
        if let Some(client) = clients.get(&place) {
            return Ok(client);
        }
        let opened = Plugin::load(&place).and_then(|plugin| {
            Client::new(plugin).map_err(|error| error.context(format_args!("`{}`", place.display())))
        });
        let client: &'static Client = Box::leak(Box::new(opened?));
        clients.insert(place, client);
        Ok(client)
    }

    fn new(plugin: Plugin) -> Result<Client> {
        let mut create = ClientCreate::new();
        call!(plugin, client_create, &mut create)?;
        let mut devices = ClientDevices::new();
        devices.client = create.client;
        call!(plugin, client_addressable_devices, &mut devices)?;
        if devices.num_devices == 0 {
            return Err(Error::unsupported("the plugin has no device here"));
        }
        // SAFETY: there are so many, one at least.
        let device = unsafe { *devices.devices };
        let (mut name, mut version) = (ClientText::new(), ClientText::new());
        (name.client, version.client) = (create.client, create.client);
        call!(plugin, client_platform_name, &mut name)?;
        call!(plugin, client_platform_version, &mut version)?;
        // SAFETY: the texts live as long as the client.
        let [name, version] = unsafe { [&name, &version].map(|args| text(args.text, args.text_size)) };
        let platform = if version.is_empty() { name } else { format!("{name}, {version}") };
        Ok(Client { plugin, raw: create.client, device, platform })
    }

    /// Brings an array to the device.
    ///
    /// # Errors
    /// There must be memory for it.
    pub(crate) fn upload(&self, array: &Array, count: &Arc<Count>) -> Result<Held> {
        macro_rules! each {
            ($($name:ident)*) => {
                match array.buffer() {
                    $(Elements::$name(elements) => self.send(elements, array.shape(), count),)*
                    other => Err(Error::unsupported(format!("elements of {} do not go to XLA", other.dtype()))),
                }
            };
        }
        each!(Bool U8 U16 U32 U64 I8 I16 I32 I64 F16 Bf16 F32 F64)
    }

    /// Brings numbers to the device; when it returns they have been copied.
    pub(crate) fn send<T: Element>(&self, elements: &[T], shape: &[usize], count: &Arc<Count>) -> Result<Held> {
        debug_assert_eq!(elements.len(), Shape::from(shape).size(), "the shape of an array");
        let dims: Vec<i64> = shape.iter().map(|&dim| dim as i64).collect();
        let mut args = BufferFromHost::new();
        (args.client, args.device) = (self.raw, self.device);
        (args.data, args.kind) = (elements.as_ptr().cast(), kind(T::DTYPE));
        (args.dims, args.num_dims) = (dims.as_ptr(), dims.len());
        call!(self.plugin, client_buffer_from_host, &mut args)?;
        let held = Held::new(self.plugin, args.buffer, size_of_val(elements), count);
        Done { plugin: self.plugin, raw: args.done_with_host_buffer }.wait()?;
        Ok(held)
    }

    /// Compiles a module of StableHLO whose main function has results of so many bytes each.
    ///
    /// # Errors
    /// What the plugin says.
    ///
    /// # Panics
    /// If the function has more results, or fewer.
    pub(crate) fn compile(&self, module: &str, results: &[usize], count: &Arc<Count>) -> Result<Executable> {
        let (mut code, mut args) = (Code::new(), ClientCompile::new());
        (code.code, code.code_size) = (module.as_ptr().cast(), module.len());
        (code.format, code.format_size) = (c"mlir".as_ptr(), 4);
        (args.client, args.program) = (self.raw, &raw const code);
        let options = OPTIONS.as_slice();
        (args.options, args.options_size) = (options.as_ptr().cast(), options.len());
        call!(self.plugin, client_compile, &mut args)?;
        count.add(0);
        let (plugin, raw, count) = (self.plugin, args.executable, Arc::clone(count));
        let executable = Executable { plugin, raw, results: results.into(), count };
        assert_eq!(executable.outputs()?, results.len(), "the results of a main function");
        Ok(executable)
    }
}

/// `PJRT_Buffer_Type`.
fn kind(dtype: DType) -> i32 {
    const KINDS: [DType; 13] = [
        DType::Bool,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::F16,
        DType::F32,
        DType::F64,
        DType::Bf16,
    ];
    KINDS.iter().position(|&known| known == dtype).map_or(0, |place| place as i32 + 1)
}

/// An array on the device.
pub(crate) struct Held {
    plugin: Plugin,
    raw: *mut Buffer,
    bytes: usize,
    count: Arc<Count>,
}

// SAFETY: PJRT's buffers may be used from all threads.
unsafe impl Send for Held {}
// SAFETY: as above.
unsafe impl Sync for Held {}

impl Held {
    fn new(plugin: Plugin, raw: *mut Buffer, bytes: usize, count: &Arc<Count>) -> Held {
        count.add(bytes);
        Held { plugin, raw, bytes, count: Arc::clone(count) }
    }

    /// Whether it is of the plugin of that client: no other can use it.
    pub(crate) fn is_of(&self, client: &Client) -> bool {
        std::ptr::eq(self.plugin.0, client.plugin.0)
    }

    /// Waits for its elements and copies them into an array of its type.
    ///
    /// # Errors
    /// That of the run that was to make it.
    pub(crate) fn read_into(&self, array: &mut Array) -> Result<()> {
        macro_rules! each {
            ($($name:ident)*) => {
                match array.buffer_mut() {
                    Elements::Bool(truths) => {
                        let mut bytes = vec![0u8; truths.len()];
                        self.receive(&mut bytes)?;
                        truths.iter_mut().zip(bytes).for_each(|(truth, byte)| *truth = byte != 0);
                        Ok(())
                    }
                    $(Elements::$name(elements) => self.receive(elements),)*
                    other => Err(Error::unsupported(format!("elements of {} do not come from XLA", other.dtype()))),
                }
            };
        }
        each!(U8 U16 U32 U64 I8 I16 I32 I64 F16 Bf16 F32 F64)
    }

    /// Copies the elements into numbers of which every pattern of bits is one.
    fn receive<T: Element>(&self, elements: &mut [T]) -> Result<()> {
        assert_eq!(size_of_val(elements), self.bytes, "an array of the type of a buffer");
        let mut args = ToHost::new();
        args.src = self.raw;
        (args.dst, args.dst_size) = (elements.as_mut_ptr().cast::<c_void>(), size_of_val(elements));
        call!(self.plugin, buffer_to_host, &mut args)?;
        Done { plugin: self.plugin, raw: args.event }.wait()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut args = BufferArgs::new();
        args.buffer = self.raw;
        // Nobody can mend what it says.
        _ = call!(self.plugin, buffer_destroy, &mut args);
        self.count.remove(self.bytes);
    }
}

/// A program on the device.
pub(crate) struct Executable {
    plugin: Plugin,
    raw: *mut LoadedExecutable,
    /// Bytes of each result, of which there are as many as the plugin gives.
    results: Box<[usize]>,
    count: Arc<Count>,
}

// SAFETY: PJRT's executables may be used from all threads.
unsafe impl Send for Executable {}
// SAFETY: as above.
unsafe impl Sync for Executable {}

impl Executable {
    /// How many results a run has.
    fn outputs(&self) -> Result<usize> {
        let (mut get, mut number, mut destroy) = (GetExecutable::new(), NumOutputs::new(), ExecutableArgs::new());
        get.loaded = self.raw;
        call!(self.plugin, loaded_get_executable, &mut get)?;
        (number.executable, destroy.executable) = (get.executable, get.executable);
        let asked = call!(self.plugin, executable_num_outputs, &mut number);
        call!(self.plugin, executable_destroy, &mut destroy)?;
        asked.map(|()| number.num_outputs)
    }

    /// Begins a run. What is donated is dead afterwards, also if it fails.
    ///
    /// The caller has seen to it that the arguments are of the types that the program says: plugins look at no more than
    /// their number and sizes.
    ///
    /// # Errors
    /// What the plugin says at once; a failure of the run is that of [`Done::wait`] and of its results.
    pub(crate) fn run(&self, arguments: &[Arc<Held>]) -> Result<(Vec<Held>, Done)> {
        let raw: Vec<*mut Buffer> = arguments.iter().map(|held| held.raw).collect();
        let mut outputs = vec![null_mut::<Buffer>(); self.results.len()];
        let (mut options, mut event) = (ExecuteOptions::new(), null_mut::<Event>());
        let (list, output_list) = (raw.as_ptr(), outputs.as_mut_ptr());
        let mut args = Execute::new();
        (args.executable, args.options) = (self.raw, &raw mut options);
        (args.argument_lists, args.num_devices, args.num_args) = (&raw const list, 1, raw.len());
        (args.output_lists, args.complete) = (&raw const output_list, &raw mut event);
        call!(self.plugin, loaded_execute, &mut args)?;
        let held = |(raw, &bytes)| Held::new(self.plugin, raw, bytes, &self.count);
        Ok((outputs.into_iter().zip(&self.results).map(held).collect(), Done { plugin: self.plugin, raw: event }))
    }
}

impl Drop for Executable {
    fn drop(&mut self) {
        let mut args = LoadedArgs::new();
        args.executable = self.raw;
        // Nobody can mend what it says.
        _ = call!(self.plugin, loaded_destroy, &mut args);
        self.count.remove(0);
    }
}

/// Tells when something is over.
pub(crate) struct Done {
    plugin: Plugin,
    raw: *mut Event,
}

// SAFETY: PJRT's events may be used from all threads.
unsafe impl Send for Done {}

impl Done {
    /// Waits for it.
    ///
    /// # Errors
    /// It failed.
    pub(crate) fn wait(&self) -> Result<()> {
        if self.raw.is_null() {
            return Ok(());
        }
        let mut args = EventArgs::new();
        args.event = self.raw;
        call!(self.plugin, event_await, &mut args)
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if self.raw.is_null() {
            return;
        }
        let mut args = EventArgs::new();
        args.event = self.raw;
        // Nobody can mend what it says.
        _ = call!(self.plugin, event_destroy, &mut args);
    }
}

#[cfg(test)]
impl Client {
    /// A client of another plugin, which has the entries of this one.
    pub(crate) fn of_another_plugin(&self) -> Result<&'static Client> {
        // SAFETY: a table is numbers and pointers, and whoever copies those copies nothing that they own.
        let table = unsafe { std::ptr::read(self.plugin.0) };
        Ok(Box::leak(Box::new(Client::new(Plugin(Box::leak(Box::new(table))))?)))
    }
}

#[cfg(test)]
mod tests {
    use std::ptr::null;

    use super::*;

    /// A table of which all entries are null.
    fn table(major: i32, size: usize) -> Result<()> {
        // SAFETY: numbers, raw pointers and optional functions, for all of which zeros are a value.
        let mut api: Api = unsafe { std::mem::zeroed() };
        (api.struct_size, api.version.major, api.version.minor) = (size, major, 30);
        // SAFETY: it is never freed.
        unsafe { Plugin::of(Box::leak(Box::new(api))) }.map(drop)
    }

    #[test]
    fn plugins_of_other_versions_are_refused() {
        let error = |result: Result<()>| result.expect_err("a plugin of no use").to_string();
        let new = error(table(1, size_of::<Api>()));
        assert!(new.starts_with("needs a plugin of PJRT 0, got PJRT 1.30, which is too new\n  help: "), "{new}");
        let old = error(table(0, 200));
        assert!(old.starts_with("needs a table of 608 bytes, got PJRT 0.30 with 200, too old\n  help: "), "{old}");
        let poor = error(table(0, size_of::<Api>()));
        assert!(poor.starts_with("the plugin has no `plugin_initialize`\n  help: "), "{poor}");
        // SAFETY: there is no table.
        let none = unsafe { Plugin::of(null()) };
        assert_eq!(error(none.map(drop)), "a PJRT plugin gave no table");
    }
}
