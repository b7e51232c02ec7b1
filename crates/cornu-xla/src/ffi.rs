//! The part of PJRT's C interface that is used, by hand. Plugins of every later version have these entries and fields:
//! both are only ever added at the end.

use std::ffi::{c_char, c_void};

/// Things of which only the plugin knows the inside.
macro_rules! opaque {
    ($($name:ident)*) => { $(#[repr(C)] pub(crate) struct $name([u8; 0]);)* };
}

opaque! { Error Event Client Device LoadedExecutable Executable Buffer }

/// What an entry is given. `struct_size` ends with the last field, without the padding behind it.
macro_rules! args {
    ($($name:ident { $($field:ident: $ty:ty),* $(,)? })*) => { $(
        #[repr(C)]
        pub(crate) struct $name {
            pub(crate) struct_size: usize,
            pub(crate) extension_start: *mut c_void,
            $(pub(crate) $field: $ty,)*
        }

        impl $name {
            const SIZE: usize = {
                let ends = [2 * size_of::<usize>(), $(std::mem::offset_of!(Self, $field) + size_of::<$ty>(),)*];
                ends[ends.len() - 1]
            };

            /// Nothing but the size.
            pub(crate) fn new() -> Self {
                // SAFETY: every field is a number, a raw pointer or an array of them, for which zeros are a value.
                let zeros: Self = unsafe { std::mem::zeroed() };
                Self { struct_size: Self::SIZE, ..zeros }
            }
        }
    )* };
}

args! {
    ErrorDestroy { error: *mut Error }
    ErrorMessage { error: *const Error, message: *const c_char, message_size: usize }
    ErrorGetCode { error: *const Error, code: i32 }
    PluginInitialize {}
    EventArgs { event: *mut Event }
    ClientCreate {
        create_options: *const c_void,
        num_options: usize,
        callbacks: [*const c_void; 4],
        client: *mut Client,
        more_callbacks: [*const c_void; 2],
    }
    ClientText { client: *mut Client, text: *const c_char, text_size: usize }
    ClientDevices { client: *mut Client, devices: *const *mut Device, num_devices: usize }
    Code { code: *const c_char, code_size: usize, format: *const c_char, format_size: usize }
    ClientCompile {
        client: *mut Client,
        program: *const Code,
        options: *const c_char,
        options_size: usize,
        executable: *mut LoadedExecutable,
    }
    BufferFromHost {
        client: *mut Client,
        data: *const c_void,
        kind: i32,
        dims: *const i64,
        num_dims: usize,
        byte_strides: *const i64,
        num_byte_strides: usize,
        semantics: i32,
        device: *mut Device,
        memory: *mut c_void,
        device_layout: *mut c_void,
        done_with_host_buffer: *mut Event,
        buffer: *mut Buffer,
    }
    LoadedArgs { executable: *mut LoadedExecutable }
    GetExecutable { loaded: *mut LoadedExecutable, executable: *mut Executable }
    ExecutableArgs { executable: *mut Executable }
    NumOutputs { executable: *mut Executable, num_outputs: usize }
    ExecuteOptions {
        callbacks: [*const c_void; 2],
        num_callbacks: [usize; 2],
        launch_id: i32,
        non_donatable: *const i64,
        num_non_donatable: usize,
        context: *mut c_void,
        call_location: *const c_char,
        num_tasks: usize,
        task_ids: *mut i32,
        incarnation_ids: *mut i64,
    }
    Execute {
        executable: *mut LoadedExecutable,
        options: *mut ExecuteOptions,
        argument_lists: *const *const *mut Buffer,
        num_devices: usize,
        num_args: usize,
        output_lists: *const *mut *mut Buffer,
        complete: *mut *mut Event,
        device: *mut Device,
    }
    BufferArgs { buffer: *mut Buffer }
    ToHost { src: *mut Buffer, layout: *mut c_void, dst: *mut c_void, dst_size: usize, event: *mut Event }
}

/// The version of a table.
#[repr(C)]
pub(crate) struct Version {
    pub(crate) struct_size: usize,
    pub(crate) extension_start: *mut c_void,
    pub(crate) major: i32,
    pub(crate) minor: i32,
}

/// An entry of the table; null in a plugin that has none.
pub(crate) type Entry<A> = Option<unsafe extern "C" fn(*mut A) -> *mut Error>;
/// An entry that gives no error.
pub(crate) type Plain<A> = Option<unsafe extern "C" fn(*mut A)>;
/// Entries that are not called.
pub(crate) type Skipped<const N: usize> = [*const c_void; N];

/// The table of a plugin, as far as it is used.
#[repr(C)]
pub(crate) struct Api {
    pub(crate) struct_size: usize,
    pub(crate) extension_start: *const c_void,
    pub(crate) version: Version,
    pub(crate) error_destroy: Plain<ErrorDestroy>,
    pub(crate) error_message: Plain<ErrorMessage>,
    pub(crate) error_get_code: Entry<ErrorGetCode>,
    pub(crate) plugin_initialize: Entry<PluginInitialize>,
    pub(crate) plugin_attributes: Skipped<1>,
    pub(crate) event_destroy: Entry<EventArgs>,
    pub(crate) event_is_ready_error: Skipped<2>,
    pub(crate) event_await: Entry<EventArgs>,
    pub(crate) event_on_ready: Skipped<1>,
    pub(crate) client_create: Entry<ClientCreate>,
    pub(crate) client_destroy: Skipped<1>,
    pub(crate) client_platform_name: Entry<ClientText>,
    pub(crate) client_process_index: Skipped<1>,
    pub(crate) client_platform_version: Entry<ClientText>,
    pub(crate) client_devices: Skipped<1>,
    pub(crate) client_addressable_devices: Entry<ClientDevices>,
    pub(crate) client_lookups_memories: Skipped<3>,
    pub(crate) client_compile: Entry<ClientCompile>,
    pub(crate) client_default_device_assignment: Skipped<1>,
    pub(crate) client_buffer_from_host: Entry<BufferFromHost>,
    pub(crate) descriptions_devices_memories: Skipped<17>,
    pub(crate) executable_destroy: Entry<ExecutableArgs>,
    pub(crate) executable_name_replicas_partitions: Skipped<3>,
    pub(crate) executable_num_outputs: Entry<NumOutputs>,
    pub(crate) executable_properties: Skipped<5>,
    pub(crate) loaded_destroy: Entry<LoadedArgs>,
    pub(crate) loaded_get_executable: Entry<GetExecutable>,
    pub(crate) loaded_properties: Skipped<3>,
    pub(crate) loaded_execute: Entry<Execute>,
    pub(crate) executable_deserialize_fingerprint: Skipped<2>,
    pub(crate) buffer_destroy: Entry<BufferArgs>,
    pub(crate) buffer_properties: Skipped<11>,
    pub(crate) buffer_to_host: Entry<ToHost>,
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    /// As a C compiler lays out version 0.81 of the header.
    #[test]
    fn structs_lie_as_in_c() {
        assert_eq!((size_of::<Version>(), PluginInitialize::SIZE, ErrorGetCode::SIZE), (24, 16, 28));
        assert_eq!((ClientCreate::SIZE, BufferFromHost::SIZE, Code::SIZE, ClientCompile::SIZE), (88, 120, 48, 56));
        assert_eq!((ExecuteOptions::SIZE, Execute::SIZE, ToHost::SIZE), (112, 80, 56));
        assert_eq!((offset_of!(Api, client_create), offset_of!(Api, client_compile)), (120, 200));
        assert_eq!((GetExecutable::SIZE, NumOutputs::SIZE, offset_of!(Api, executable_num_outputs)), (32, 32, 392));
        assert_eq!((offset_of!(Api, loaded_execute), offset_of!(Api, buffer_to_host)), (480, 600));
    }
}
