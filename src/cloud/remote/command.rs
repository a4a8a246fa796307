//! A command for a machine: one of the node's programs with its arguments, as the line that a shell gets.
//! Every word is quoted here, and only here.

/// The programs of a node that may be started from outside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    ApiRequests,
    Certificates,
    EtcdMember,
    EtcdRestore,
    EtcdSnapshot,
}

impl Program {
    pub const ALL: [Self; 5] = [
        Self::ApiRequests,
        Self::Certificates,
        Self::EtcdMember,
        Self::EtcdRestore,
        Self::EtcdSnapshot,
    ];

    /// The name of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiRequests => "api-requests",
            Self::Certificates => "certificates",
            Self::EtcdMember => "etcd-member",
            Self::EtcdRestore => "etcd-restore",
            Self::EtcdSnapshot => "etcd-snapshot",
        }
    }

    /// Where it lies on a machine.
    pub fn path(self) -> String {
        format!("/opt/kube-cfn/bin/{}", self.name())
    }
}

/// A value that may be an argument of a command: a type of its own that was checked when it was made.
/// Texts are none.
pub trait Argument {
    /// The argument as the program gets it. Never holds a NUL, which no argument can.
    fn text(&self) -> String;
}

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteCommand {
    program: Program,
    arguments: Vec<String>,
}

impl RemoteCommand {
    /// The program without arguments.
    pub const fn new(program: Program) -> Self {
        Self {
            program,
            arguments: Vec::new(),
        }
    }

    /// Adds a word of the program's own grammar: a verb or a flag.
    #[must_use]
    pub fn word(mut self, word: &'static str) -> Self {
        self.arguments.push(word.to_owned());
        self
    }

    /// Adds a value.
    #[must_use]
    pub fn argument(mut self, value: &impl Argument) -> Self {
        self.arguments.push(value.text());
        self
    }

    pub const fn program(&self) -> Program {
        self.program
    }

    /// The program's path and its arguments.
    pub fn argv(&self) -> Vec<String> {
        let path = std::iter::once(self.program.path());
        path.chain(self.arguments.iter().cloned()).collect()
    }

    /// The line of shell that runs exactly [`RemoteCommand::argv`].
    pub fn line(&self) -> String {
        let words: Vec<String> = self.argv().iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }
}

/// A word as POSIX's shell reads it back. Systems Manager replaces `{{ssm:NAME}}` before the shell sees
/// anything, quotes or not: two braces never stand side by side.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let inside = word.replace('\'', r"'\''").replace('{', "{''");
    format!("'{inside}'")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    struct Any(String);

    impl Argument for Any {
        fn text(&self) -> String {
            self.0.clone()
        }
    }

    /// What a program is given when a shell runs this line with the program's place taken by one that
    /// prints its arguments.
    fn argv_in(shell: &str, line: &str) -> Vec<String> {
        let arguments = line.split_once(' ').map_or("", |(_, arguments)| arguments);
        let script = format!("printf '%s\\0' {arguments}");
        let checked = Command::new(shell).args(["-n", "-c", &script]).output();
        assert!(checked.unwrap().status.success(), "{shell}: {line}");
        let ran = Command::new(shell).args(["-c", &script]).output().unwrap();
        assert!(ran.stderr.is_empty(), "{shell}: {line}");
        let text = String::from_utf8(ran.stdout).unwrap();
        let words = text.strip_suffix('\0').unwrap_or(&text).split('\0');
        words.map(str::to_owned).collect()
    }

    fn hostile() -> impl Strategy<Value = String> {
        let traps = prop::sample::select(vec![
            "'",
            "\"",
            "\\",
            "$(touch x)",
            "`id`",
            ";reboot",
            "\n",
            "{{ssm:/a}}",
            "${IFS}",
            "&&",
            "|",
            ">",
            "<",
            "#",
            "~",
            "*",
            "!",
            "-",
            " ",
            "\t",
            "'\\''",
            "{",
            "}",
            "ü",
            "\u{7f}",
            "\u{1b}[2J",
        ]);
        let piece = prop_oneof![traps.prop_map(str::to_owned), "[^\u{0}]{0,4}"];
        prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        #[test]
        fn shell_reads_every_argument_back(first in hostile(), second in hostile()) {
            let command = RemoteCommand::new(Program::EtcdRestore)
                .argument(&Any(first.clone()))
                .word("--token")
                .argument(&Any(second.clone()));
            let line = command.line();
            prop_assert!(!line.contains("{{"), "{line}");
            for shell in ["bash", "sh"] {
                let wanted = [first.as_str(), "--token", second.as_str()];
                prop_assert_eq!(&argv_in(shell, &line), &wanted, "{}: {}", shell, &line);
            }
        }
    }

    #[test]
    fn ordinary_words_stay_readable() {
        let command = RemoteCommand::new(Program::EtcdMember)
            .word("promote")
            .argument(&Any("cp-b".to_owned()));
        assert_eq!(command.line(), "/opt/kube-cfn/bin/etcd-member promote cp-b");
        assert_eq!(quoted(""), "''");
    }
}
