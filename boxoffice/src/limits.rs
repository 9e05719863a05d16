//! What the system grants the process. With much too little of it a process ends by a signal, without a word about
//! why: that is looked at before anything is begun.

use std::fs;

/// A limit that a process cannot live under.
struct Minimum {
    /// As `/proc/self/limits` names it (proc(5)).
    line: &'static str,
    /// How it is raised.
    raise: &'static str,
    least: u64,
}

const MINIMA: &[Minimum] = &[
    // Threads, their stacks and malloc's arenas are reserved, not used.
    Minimum {
        line: "Max address space",
        raise: "ulimit -v, LimitAS=",
        least: 384 << 20,
    },
    // Three servers, the gateway, the log and the runtime itself, with some connections each.
    Minimum {
        line: "Max open files",
        raise: "ulimit -n, LimitNOFILE=",
        least: 64,
    },
];

/// # Errors
/// What is too little, and how to raise it. Where the system doesn't tell its limits there is nothing to refuse.
pub(crate) fn check() -> Result<(), String> {
    fs::read_to_string("/proc/self/limits").map_or(Ok(()), |limits| judge(&limits))
}

fn judge(limits: &str) -> Result<(), String> {
    for minimum in MINIMA {
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix(minimum.line));
        let soft = line.and_then(|line| line.split_whitespace().next());
        // `unlimited` is no number.
        if let Some(granted) = soft.and_then(|soft| soft.parse::<u64>().ok())
            && granted < minimum.least
        {
            let Minimum { line, raise, least } = minimum;
            let what = line.trim_start_matches("Max ");
            return Err(format!(
                "the limit of {what} is {granted}, at least {least} are needed ({raise})"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "Limit                     Soft Limit           Hard Limit           Units     \n";

    #[test]
    fn too_little_is_named_with_what_raises_it() {
        let files =
            "Max open files            40                   40                   files     \n";
        let said = judge(&format!("{HEAD}{files}")).unwrap_err();
        assert_eq!(
            said,
            "the limit of open files is 40, at least 64 are needed (ulimit -n, LimitNOFILE=)"
        );
        let space =
            "Max address space         100663296            unlimited            bytes     \n";
        let said = judge(&format!("{HEAD}{space}")).unwrap_err();
        assert!(said.contains("address space is 100663296"), "{said}");
    }

    #[test]
    fn enough_and_unlimited_are_fine() {
        let space =
            "Max address space         unlimited            unlimited            bytes     \n";
        let files =
            "Max open files            64                   64                   files     \n";
        assert_eq!(judge(&format!("{HEAD}{space}{files}")), Ok(()));
        assert_eq!(judge(""), Ok(()));
        assert_eq!(check(), Ok(()));
    }
}
