//! Running a program inside an unpacked root folder, as if it were installed.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::stack::{Stack, write_private};

/// Writes a script that becomes the program: same process id, same arguments and environment, same
/// paths for this stack's folder and for temporary files. Its mounts are seen by nobody else and
/// end with it.
pub(super) fn script(stack: &Stack, root: &Path, program: &str) -> anyhow::Result<PathBuf> {
    let name = Path::new(program)
        .file_name()
        .context("a program has a name")?;
    let path = stack.folder.conf("inside")?.join(name);
    let shared = [stack.folder.path().to_owned(), env::temp_dir()];
    write_private(&path, &text(root, program, &shared))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    Ok(path)
}

fn text(root: &Path, program: &str, shared: &[PathBuf]) -> String {
    let root = quoted(&root.to_string_lossy());
    let shared: Vec<String> = shared
        .iter()
        .map(|folder| quoted(&folder.to_string_lossy()))
        .collect();
    format!(
        "#!/bin/sh\n\
         set -eu\n\
         if [ \"${{1-}}\" != --in-own-mounts ]; then\n    \
             exec unshare --mount -- \"$0\" --in-own-mounts \"$@\"\n\
         fi\n\
         shift\n\
         for folder in /dev /proc /sys {}; do\n    \
             mkdir -p {root}\"$folder\"\n    \
             mount --rbind \"$folder\" {root}\"$folder\"\n\
         done\n\
         export PATH=/usr/sbin:/usr/bin\n\
         exec chroot {root} {} \"$@\"\n",
        shared.join(" "),
        quoted(program)
    )
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_script_is_one_whatever_the_folders_are_called() {
        let shared = [PathBuf::from("/tmp/it's here")];
        let text = text(Path::new("/cache/a b"), "/usr/sbin/mysqld", &shared);
        assert!(text.contains(r"'/tmp/it'\''s here'"), "{text}");
        let checked = Command::new("/bin/sh").args(["-n", "-c", &text]).status();
        assert!(checked.unwrap().success(), "{text}");
    }
}
