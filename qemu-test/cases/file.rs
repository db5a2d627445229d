// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! Kind file: open files; here the standard descriptors and sessions of the device (the others: kind fd).

mod itself;
mod stdio;

use harness::Case;

/// The cases of this kind.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new("file/stdio_pipes_become_the_restarters", stdio::pipes),
        Case::new("file/stdio_terminal_becomes_the_restarters", stdio::terminal),
        Case::new("file/stdio_null", stdio::null),
        Case::new("file/stdio_file", stdio::file),
        Case::new("file/stdio_file_redirection_is_kept", stdio::redirected),
        Case::new("file/program_saves_itself", itself::alone),
        Case::new("file/program_with_threads_saves_itself", itself::threads),
    ]
}
