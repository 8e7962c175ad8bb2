use super::*;

/// An instruction by its numbers.
fn insn(opcode: u8, dst: u8, src: u8, offset: i16, imm: i32) -> Insn {
    Insn { opcode, dst, src, offset, imm }
}

const EXIT: Insn = Insn { opcode: 0x95, dst: 0, src: 0, offset: 0, imm: 0 };

fn mov(dst: u8, imm: i32) -> Insn {
    insn(0xb7, dst, 0, 0, imm)
}

fn mov_register(dst: u8, src: u8) -> Insn {
    insn(0xbf, dst, src, 0, 0)
}

/// `if (dst == imm) goto +offset`.
fn jump_if_equal(dst: u8, imm: i32, offset: i16) -> Insn {
    insn(0x15, dst, 0, offset, imm)
}

fn call(helper: i32) -> Insn {
    insn(0x85, 0, 0, 0, helper)
}

/// `dst = *(u64 *)(src + offset)`.
fn load(dst: u8, src: u8, offset: i16) -> Insn {
    insn(0x79, dst, src, offset, 0)
}

/// `*(u64 *)(dst + offset) = src`.
fn store(dst: u8, src: u8, offset: i16) -> Insn {
    insn(0x7b, dst, src, offset, 0)
}

fn run(insns: &[Insn], marks: &[(usize, Mark)]) -> Reached {
    let marks = marks.iter().copied().collect();
    follow(&Code { insns, marks: &marks, big_endian: false, lent: None }, &|_, _, _| None)
}

#[test]
fn a_way_that_a_number_closes_is_not_taken() {
    let code = [mov(1, 0), jump_if_equal(1, 0, 1), call(1), EXIT];
    assert_eq!(run(&code, &[]).slots, [true, true, false, true]);
    let code = [mov(1, 1), jump_if_equal(1, 0, 1), call(1), EXIT];
    assert_eq!(run(&code, &[]).slots, [true; 4]);
    // A relocated number that is not known opens both.
    let code = [mov(1, 0), jump_if_equal(1, 0, 1), call(1), EXIT];
    assert_eq!(run(&code, &[(0, Mark::Anything)]).slots, [true; 4]);
}

#[test]
fn nothing_is_reached_behind_poison() {
    let code = [mov(0, 0), call(1), mov(0, 0), EXIT];
    assert_eq!(run(&code, &[(1, Mark::Poison)]).slots, [true, true, false, false]);
}

#[test]
fn numbers_survive_in_saved_registers_and_on_the_stack_but_not_in_others() {
    // r6 = 0; *(r10 - 8) = r6; call; if r6 == 0 goto +1; bad; r1 = *(r10 - 8); if r1 == 0 goto +1; bad; exit
    let code = [
        mov(6, 0),
        store(10, 6, -8),
        call(5),
        jump_if_equal(6, 0, 1),
        call(1),
        load(1, 10, -8),
        jump_if_equal(1, 0, 1),
        call(1),
        EXIT,
    ];
    let reached = run(&code, &[]);
    assert!(!reached.slots[4] && !reached.slots[7] && reached.slots[8]);
    // r1 to r5 are gone behind a call.
    let code = [mov(1, 0), call(5), jump_if_equal(1, 0, 1), call(1), EXIT];
    assert!(run(&code, &[]).slots[3]);
}

#[test]
fn memory_that_a_call_may_write_is_forgotten() {
    // *(r10 - 8) = 0; r1 = r10 - 8; r2 = 8; call; r3 = *(r10 - 8); if r3 == 0 goto +1; seen; exit
    let with = |size: i32, at: i16| {
        let code = [
            mov(6, 0),
            store(10, 6, at),
            mov_register(1, 10),
            insn(0x07, 1, 0, 0, -16),
            mov(2, size),
            call(4),
            load(3, 10, at),
            jump_if_equal(3, 0, 1),
            call(1),
            EXIT,
        ];
        run(&code, &[]).slots[8]
    };
    assert!(with(8, -16), "written");
    assert!(!with(8, -8), "beside what is written");
    assert!(with(16, -8), "in the second half of what is written");
}

#[test]
fn what_is_compared_is_known_afterwards() {
    // r0 = ?; if r0 == 7 goto +1; exit; if r0 == 7 goto +1; bad; exit
    let code = [call(7), jump_if_equal(0, 7, 1), EXIT, jump_if_equal(0, 7, 1), call(1), EXIT];
    assert_eq!(run(&code, &[]).slots, [true, true, true, true, false, true]);
}

#[test]
fn static_functions_are_followed_with_their_arguments_and_global_ones_with_any() {
    // r1 = 0; call +2; exit; (2..) if r1 == 0 goto +1; bad; exit
    let code = [mov(1, 0), insn(0x85, 0, 1, 0, 1), EXIT, jump_if_equal(1, 0, 1), call(1), EXIT];
    let calls = |global| run(&code, &[(1, Mark::Calls { entry: 3, global })]).slots;
    assert_eq!(calls(false), [true, true, true, true, false, true]);
    assert_eq!(calls(true), [true; 6]);
}

#[test]
fn functions_whose_address_is_taken_are_reached() {
    let code = [insn(0x18, 2, 4, 0, 0), insn(0, 0, 0, 0, 0), EXIT, call(1), EXIT];
    let reached = run(&code, &[(0, Mark::Callback(3))]);
    assert_eq!(reached.slots, [true, false, true, true, true]);
}

#[test]
fn accesses_to_the_context_are_seen_through_moves_and_calls() {
    // r6 = r1; call; r2 = *(r6 + 16); r6 += 8; *(r6 + 0) = r2; exit
    let code = [mov_register(6, 1), call(5), load(2, 6, 16), insn(0x07, 6, 0, 0, 8), store(6, 2, 0), EXIT];
    let reached = run(&code, &[]);
    let seen: Vec<_> = reached.context.iter().map(|it| (it.slot, it.offset, it.size, it.is_store)).collect();
    assert_eq!(seen, [(2, 16, 8, false), (4, 8, 8, true)]);
    // The call had the context in r1.
    assert!(reached.context_escapes);
    assert!(!run(&[mov(1, 0), call(5), EXIT], &[]).context_escapes);
}

#[test]
fn constants_are_read_and_may_be_opened() {
    let code = [
        insn(0x18, 1, 0, 0, 0),
        insn(0, 0, 0, 0, 0),
        insn(0x71, 2, 1, 3, 0),
        jump_if_equal(2, 5, 1),
        call(1),
        EXIT,
    ];
    let marks: HashMap<usize, Mark> = [(0, Mark::Gives(Value::Data { section: 9, offset: 4 }))].into();
    let with = |found: Option<u64>| {
        let data = move |section, offset, size| {
            assert_eq!((section, offset, size), (9, 7, 1));
            found
        };
        follow(&Code { insns: &code, marks: &marks, big_endian: false, lent: None }, &data).slots[4]
    };
    assert!(!with(Some(5)) && with(Some(6)) && with(None));
}

#[test]
fn loops_end() {
    // r1 = 0; r1 += 1; if r1 != 1000000 goto -2; exit
    let code = [mov(1, 0), insn(0x07, 1, 0, 0, 1), insn(0x55, 1, 0, -2, 1_000_000), EXIT];
    let reached = run(&code, &[]);
    assert!(reached.slots.iter().all(|slot| *slot) && !reached.gave_up);
}

#[test]
fn arithmetic_is_that_of_the_instruction_set() {
    use super::value::arithmetic;
    let number = |opcode: u8, imm: i32, dst: u64| {
        arithmetic(insn(opcode, 1, 0, 0, imm), Value::Number(dst), Value::Unknown, false)
    };
    assert_eq!(number(0x07, -1, 0), Value::Number(u64::MAX));
    assert_eq!(number(0x04, -1, 0), Value::Number(0xffff_ffff), "32-bit results have no upper half");
    assert_eq!(number(0x37, 0, 7), Value::Number(0), "division by 0");
    assert_eq!(number(0x97, 0, 7), Value::Number(7), "remainder by 0");
    assert_eq!(number(0x67, 65, 1), Value::Number(2), "shifts count in 6 bits");
    assert_eq!(number(0xc7, 4, 0x8000_0000_0000_0000), Value::Number(0xf800_0000_0000_0000));
    assert_eq!(number(0xd4, 16, 0x1234_5678), Value::Number(0x5678), "to little-endian");
    assert_eq!(number(0xdc, 16, 0x1234_5678), Value::Number(0x7856), "to big-endian");
    assert_eq!(number(0xb4, -1, 0), Value::Number(0xffff_ffff));
    let unknown = arithmetic(insn(0x57, 1, 0, 0, 0), Value::Unknown, Value::Unknown, false);
    assert_eq!(unknown, Value::Number(0), "anything & 0");
}

#[test]
fn any_code_ends() {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..300 {
        let code: Vec<Insn> = (0..40)
            .map(|_| {
                let word = next();
                let offset = (word >> 16) as i16 % 40;
                insn(
                    word as u8,
                    (word >> 8) as u8 % 12,
                    (word >> 12) as u8 % 12,
                    offset,
                    (word >> 32) as i32 % 64,
                )
            })
            .collect();
        let reached = run(&code, &[]);
        assert_eq!(reached.slots.len(), code.len());
        assert!(reached.slots[0]);
        // Nothing more is reached where accesses end ways.
        let marks = HashMap::new();
        let lent = Some(Lent { spoils: Spoils::All, sizes: &|_| (8, 16) });
        let spoiled = follow(&Code { insns: &code, marks: &marks, big_endian: false, lent }, &|_, _, _| None);
        assert!(spoiled.slots.iter().zip(&reached.slots).all(|(spoiled, reached)| !spoiled || *reached));
    }
}

/// What is read through on the way, as slot, helper and whether it is so on all ways. Maps have keys of 8 and values of 16 bytes.
fn through(insns: &[Insn], spoils: Spoils) -> Vec<(usize, u32, bool)> {
    // Whatever loads an address loads that of a map.
    let marks = insns.iter().enumerate().filter(|(_, insn)| insn.is_ld_imm64());
    let marks = marks.map(|(slot, _)| (slot, Mark::Gives(Value::Map(0)))).collect();
    let lent = Some(Lent { spoils, sizes: &|_| (8, 16) });
    let reached = follow(&Code { insns, marks: &marks, big_endian: false, lent }, &|_, _, _| None);
    reached.through.iter().map(|it| (it.slot, it.by.0, it.always)).collect()
}

/// `dst = r10 + offset`.
fn stack(dst: u8, offset: i32) -> [Insn; 2] {
    [mov_register(dst, 10), insn(0x07, dst, 0, 0, offset)]
}

/// `r1 = map; r2 = r10 + key; call bpf_map_lookup_elem`.
fn lookup(key: i32) -> Vec<Insn> {
    let map = [insn(0x18, 1, 1, 0, 0), insn(0, 0, 0, 0, 0)];
    [&map[..], &stack(2, key), &[call(1)]].concat()
}

/// Keeps the first argument on the stack, does something, and reads the argument through that slot; a slot that is read is the
/// number of instructions of `between` and 3.
fn kept(between: &[Insn]) -> Vec<Insn> {
    let begin = [load(6, 1, 0), store(10, 6, -8)];
    [&begin[..], between, &[load(1, 10, -8), load(2, 1, 16), EXIT]].concat()
}

#[test]
fn what_a_helper_gets_to_is_a_number_afterwards() {
    let code = kept(&lookup(-8));
    assert_eq!(through(&code, Spoils::All), [(8, 1, true)]);
    // It may be a pointer to an object of the kernel, and it is not written.
    assert_eq!(through(&code, Spoils::AllButObjects), []);
    assert_eq!(through(&code, Spoils::Written), []);
    // The context itself is no such pointer.
    let context = [&[store(10, 1, -8)][..], &lookup(-8), &[load(1, 10, -8), load(2, 1, 0), EXIT]].concat();
    for (spoils, expected) in
        [(Spoils::All, &[(7, 1, true)][..]), (Spoils::AllButObjects, &[(7, 1, true)]), (Spoils::Written, &[])]
    {
        assert_eq!(through(&context, spoils), expected, "{spoils:?}");
    }
    // bpf_probe_read_kernel(r10 - 8, 8, ?) writes.
    let read = [&stack(1, -8)[..], &[mov(2, 8), call(113)]].concat();
    for spoils in [Spoils::All, Spoils::AllButObjects, Spoils::Written] {
        assert_eq!(through(&kept(&read), spoils), [(7, 113, true)], "{spoils:?}");
    }
}

#[test]
fn only_what_a_helper_gets_to_is_a_number() {
    // The key is beside it; then it begins before it, and reaches into it or not.
    assert_eq!(through(&kept(&lookup(-16)), Spoils::All), []);
    assert_eq!(through(&kept(&lookup(-12)), Spoils::All), [(8, 1, true)]);
    // bpf_perf_event_output(?, ?, ?, r10 - 24, size).
    let output = |size| [&stack(4, -24)[..], &[mov(5, size), call(25)]].concat();
    assert_eq!(through(&kept(&output(16)), Spoils::All), []);
    assert_eq!(through(&kept(&output(17)), Spoils::All), [(7, 25, true)]);
    assert_eq!(through(&kept(&output(0)), Spoils::All), []);
    // bpf_map_update_elem(map, r10 - 32, r10 - 24 or r10 - 16): values have 16 bytes.
    let update = |value| {
        let call = [insn(0x18, 1, 1, 0, 0), insn(0, 0, 0, 0, 0), mov(4, 0), call(2)];
        kept(&[&stack(2, -32)[..], &stack(3, value), &call].concat())
    };
    assert_eq!(through(&update(-24), Spoils::All), []);
    assert_eq!(through(&update(-16), Spoils::All), [(11, 2, true)]);
    // Helpers that take the address and do not look behind it: bpf_loop, and the source of bpf_probe_read_kernel.
    for helper in [181, 113] {
        let call = [&stack(3, -8)[..], &[mov(4, 0), call(helper)]].concat();
        assert_eq!(through(&kept(&call), Spoils::All), [], "{helper}");
    }
}

#[test]
fn what_is_stored_again_and_what_stays_in_a_register_are_addresses() {
    let again = [lookup(-8), vec![store(10, 6, -8)]].concat();
    assert_eq!(through(&kept(&again), Spoils::All), []);
    let register = [&[load(6, 1, 0), store(10, 6, -8)][..], &lookup(-8), &[load(2, 6, 16), EXIT]].concat();
    assert_eq!(through(&register, Spoils::All), []);
    // Another call does not make an address of a number.
    let twice = [lookup(-8), lookup(-16), lookup(-8)].concat();
    assert_eq!(through(&kept(&twice), Spoils::All), [(18, 1, true)]);
}

#[test]
fn numbers_stay_numbers_through_moves_stores_and_sums_and_may_be_passed_on() {
    let begin = [&[load(6, 1, 0), store(10, 6, -8)][..], &lookup(-8), &[load(7, 10, -8)]].concat();
    let used = |code: &[Insn]| through(&[&begin[..], code, &[EXIT]].concat(), Spoils::All);
    let sum =
        [mov_register(1, 7), insn(0x07, 1, 0, 0, 8), store(10, 1, -32), load(2, 10, -32), load(3, 2, 0)];
    assert_eq!(used(&sum), [(12, 1, true)]);
    assert_eq!(used(&[store(7, 6, 0)]), [(8, 1, true)]);
    // A helper may take it for what it is: bpf_probe_read_kernel(r10 - 16, 8, r7 + 8).
    let read = [&stack(1, -16)[..], &[mov(2, 8), mov_register(3, 7), call(113)]].concat();
    assert_eq!(used(&read), []);
    // It may be 0 or not.
    assert_eq!(used(&[jump_if_equal(7, 0, 1), load(2, 7, 0)]), [(9, 1, true)]);
}

#[test]
fn an_access_that_other_ways_lead_to_is_told_apart() {
    // if r0 == 0 goto around the lookup, whichever way is looked at first.
    let around = [vec![call(5), jump_if_equal(0, 0, 5)], lookup(-8)].concat();
    assert_eq!(through(&kept(&around), Spoils::All), [(10, 1, false)]);
    let around = [vec![call(5), insn(0x55, 0, 0, 1, 0), insn(0x05, 0, 0, 5, 0)], lookup(-8)].concat();
    assert_eq!(through(&kept(&around), Spoils::All), [(11, 1, false)]);
    // The lookup is not reached.
    let never = [vec![mov(7, 0), jump_if_equal(7, 0, 5)], lookup(-8)].concat();
    assert_eq!(through(&kept(&never), Spoils::All), []);
}

#[test]
fn the_stack_of_a_caller_is_spoiled_by_functions_that_it_calls() {
    // r6 = *r1; *(r10 - 8) = r6; r2 = r10 - 8; call f; r1 = *(r10 - 8); r2 = *r1; exit; f: r1 = map; lookup; exit
    let mut code = kept(&[&stack(2, -8)[..], &[insn(0x85, 0, 1, 0, 3)]].concat());
    code.extend([insn(0x18, 1, 1, 0, 0), insn(0, 0, 0, 0, 0), call(1), EXIT]);
    let marks = [(4, Mark::Calls { entry: 8, global: false }), (8, Mark::Gives(Value::Map(0)))].into();
    let lent = Some(Lent { spoils: Spoils::All, sizes: &|_| (8, 8) });
    let code = Code { insns: &code, marks: &marks, big_endian: false, lent };
    let reached = follow(&code, &|_, _, _| None);
    assert_eq!(reached.through, [Through { slot: 6, register: 1, by: Helper(1), always: true }]);
    assert_eq!(follow(&Code { lent: None, ..code }, &|_, _, _| None).through, []);
}
