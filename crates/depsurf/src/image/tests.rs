use super::*;

fn error_of(bytes: &[u8]) -> String {
    Image::parse(bytes).expect_err("not a kernel image").to_string()
}

#[test]
fn says_what_a_file_is_instead() {
    assert_eq!(error_of(b""), "not a kernel image or package: the file is empty");
    assert_eq!(
        error_of(b"!<arch>\ndebian-binary"),
        "not a kernel image or package: not an ELF file, it starts with 21 3c 61 72 63 68 3e 0a"
    );
    let mut boot = vec![0; 0x300];
    boot[0x202..0x206].copy_from_slice(b"HdrS");
    assert!(error_of(&boot).contains("bzImage"), "{}", error_of(&boot));
    assert_eq!(error_of(b"\x7fE"), "truncated: ELF header needs bytes up to 0x4, the file ends at 0x2");
    assert_eq!(error_of(b"\x7fELF"), "truncated: ELF header needs bytes up to 0x5, the file ends at 0x4");
    assert_eq!(
        error_of(b"\x7fELF\x02\x01"),
        "truncated: ELF header needs bytes up to 0x40, the file ends at 0x6"
    );
    assert_eq!(error_of(b"\x7fELF\x09"), "malformed ELF at offset 0x4: class 9 is neither 32 nor 64 bit");
}
