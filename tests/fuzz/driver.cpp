// A fuzzer of one accelerator: frames, broken frames, stalls, resets and register traffic at random, each handshake and
// each result checked against what the golden model said (in a file that tests/fuzz/cases.py writes).
//
// It knows the pins and docs/hardware.md, and nothing of how the design works: it shares no code with the harness of
// `bitwright verify`. fuzz_config.h gives the sizes of one design. Cycles count rising edges of aclk.

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>

#include "Vfuzz.h"
#include "verilated.h"

#include "fuzz_config.h"

namespace {

struct Random {  // splitmix64, Steele, Lea, Flood 2014
    uint64_t state;
    uint64_t next() {
        uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }
    uint64_t below(uint64_t n) { return next() % n; }
    bool chance(unsigned percent) { return below(100) < percent; }
};

template <class T>
void put(T& port, const uint8_t* bytes) {
    std::memcpy(&port, bytes, sizeof(T));
}
template <std::size_t N>
void put(VlWide<N>& port, const uint8_t* bytes) {
    std::memcpy(&port[0], bytes, 4 * N);
}

struct Failure {};

// When one side of a stream pauses: never, at random, for stretches far longer than a frame takes, or nearly always.
struct Stall {
    unsigned percent = 0;
    uint64_t longest = 0;  // of a stretch; 0: each cycle by itself
    uint64_t left = 0;
    bool paused = false;
    void choose(Random& random, uint64_t pipeline) {
        longest = left = 0;
        switch (random.below(6)) {
            case 0: percent = 0; break;
            case 1: percent = 1 + random.below(99); break;
            case 2: percent = 95 + random.below(5); break;
            case 3: percent = 50, longest = 1 + random.below(20); break;
            case 4: percent = 50, longest = 1 + random.below(2 * pipeline); break;
            default: percent = 40 + random.below(50), longest = pipeline + random.below(4 * pipeline); break;
        }
    }
    bool now(Random& random) {
        if (!longest) return random.chance(percent);
        if (!left) {
            left = 1 + random.below(longest);
            paused = random.chance(percent);
        }
        --left;
        return paused;
    }
};

struct Beat {
    uint8_t data[BYTES + 8];  // ports are written a word at a time
    uint8_t keep[BYTES / 8 + 8];
    bool last;
};
struct Result {
    uint64_t frame;
    bool last;
};

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

// Mirrored by tests/fuzz/fuzz.py: 8 bytes each.
struct FuzzRun {
    const uint8_t* frames;      // FRAMES * BEATS * BYTES
    const uint64_t* expected;   // FRAMES * OUT_BEATS
    uint64_t frame_count;
    uint64_t seed;
    uint64_t cycles;            // to run, at least; the last scenario is finished
    char* message;              // of 400 bytes: what went wrong
    uint64_t ran, frames_in, results, dropped, resets, soft_resets, accesses;
    uint64_t* seen;             // one count a Situation
};

}  // extern "C"
#pragma GCC visibility pop

namespace {

// Named by tests/fuzz/fuzz.py, in this order. "Held" is a beat on offer that is not taken.
enum Situation {
    SOURCE_PAUSED, INPUT_HELD, RESULT_HELD, BOTH_HELD, ALL_FULL, ALL_EMPTY, FRAMES_TOGETHER, RESULTS_TOGETHER,
    THIRD_FRAME, SHORT, LONG, BAD_KEEP, BROKEN_BEHIND_BROKEN, BATCH,
    RESET_IDLE, RESET_IN_FRAME, RESET_WITH_RESULTS, RESET_WITH_ONE_HELD,
    SOFT_IDLE, SOFT_IN_FRAME, SOFT_WITH_RESULTS, SOFT_WITH_ONE_HELD,
};

struct Fuzz {
    FuzzRun& run;
    Random random;
    VerilatedContext context;
    Vfuzz top{&context, "fuzz"};
    uint64_t cycle = 0;

    Stall stall_in, stall_out, stall_bus;
    std::deque<Beat> packets;  // beats to send
    bool offering = false;
    std::deque<Result> due;
    uint64_t out_beat = 0;
    // what docs/hardware.md says of the input stream
    uint64_t index = 0;
    bool swallowing = false, faulty = false, batch = false;
    uint64_t frame_of_beat = 0;  // which frame the beats of the packet show
    std::deque<uint64_t> frame_numbers;  // one a beat in `packets`
    uint64_t good = 0, finished = 0, dropped = 0;
    unsigned errors = 0;

    bool lawless = false;  // a soft reset is under way: what was offered may go
    bool was_valid = false, was_last = false;
    uint64_t was_data = 0;
    uint64_t silent = 0;
    uint64_t first_beat = 0, last_beat = 0;
    uint64_t held_for = 0, frame_end = 0;  // cycles that a result has been held; when the last frame was all in
    bool broken_before = false;

    // AXI4-Lite: at most one read and one write at a time
    bool reading = false, writing = false, address_sent = false, data_sent = false;
    unsigned read_at = 0, write_at = 0;
    uint32_t write_value = 0, write_strobe = 15;
    bool held_b = false, held_r = false;
    uint32_t held_data = 0;
    uint32_t read_value = 0;
    uint64_t out_at_read = 0, good_at_read = 0, dropped_at_read = 0;
    unsigned errors_at_read = 0;
    uint64_t waited = 0;
    bool traffic = false;

    explicit Fuzz(FuzzRun& r) : run(r), random{r.seed} {}

    [[noreturn]] void fail(const char* format, ...) {
        char text[300];
        va_list list;
        va_start(list, format);
        std::vsnprintf(text, sizeof text, format, list);
        va_end(list);
        std::snprintf(run.message, 400, "cycle %llu: %s", static_cast<unsigned long long>(cycle), text);
        throw Failure{};
    }

    // ---- pins ----

    void drive_stream(bool allow_in, bool allow_out) {
        if (!offering && !packets.empty() && allow_in && !stall_in.now(random)) offering = true;
        top.s_axis_tvalid = offering;
        if (offering) {
            put(top.s_axis_tdata, packets.front().data);
            put(top.s_axis_tkeep, packets.front().keep);
            top.s_axis_tlast = packets.front().last;
        } else {  // nothing that is not valid may matter
            uint8_t junk[BYTES + 8];
            for (auto& byte : junk) byte = random.next();
            put(top.s_axis_tdata, junk);
            top.s_axis_tlast = random.chance(50);
        }
        top.m_axis_tready = allow_out && !stall_out.now(random);
    }

    void drive_bus() {
        top.s_axi_control_awvalid = writing && !address_sent && (top.s_axi_control_awvalid || !stall_bus.now(random));
        top.s_axi_control_wvalid = writing && !data_sent && (top.s_axi_control_wvalid || !stall_bus.now(random));
        top.s_axi_control_bready = !stall_bus.now(random);
        top.s_axi_control_arvalid = reading && (top.s_axi_control_arvalid || !stall_bus.now(random));
        top.s_axi_control_rready = !stall_bus.now(random);
        top.s_axi_control_awaddr = write_at;
        top.s_axi_control_wdata = write_value;
        top.s_axi_control_wstrb = write_strobe;
        top.s_axi_control_araddr = read_at;
        top.s_axi_control_awprot = top.s_axi_control_arprot = random.below(8);
    }

    void edge() {
        top.aclk = 1;
        top.eval();
        ++cycle;
        top.aclk = 0;
    }

    void tick(bool allow_in = true, bool allow_out = true) {
        drive_stream(allow_in, allow_out);
        drive_bus();
        top.eval();
        const uint64_t good_before = good, finished_before = finished, dropped_before = dropped;
        const unsigned errors_before = errors;
        check_bus(good_before, finished_before, dropped_before, errors_before);
        observe();
        check_output();
        check_input();
        // with something to do, and the output taken, something must happen
        if (top.m_axis_tready && (offering || !due.empty()) && ++silent > WATCHDOG)
            fail("hangs: %zu results are due, a beat %s offered", due.size(), offering ? "is" : "is not");
        edge();
    }

    void observe() {
        const bool held_in = offering && !top.s_axis_tready, held_out = top.m_axis_tvalid && !top.m_axis_tready;
        held_for = held_out ? held_for + 1 : 0;
        run.seen[SOURCE_PAUSED] += !offering && index;
        run.seen[INPUT_HELD] += held_in;
        run.seen[RESULT_HELD] += held_out;
        run.seen[BOTH_HELD] += held_in && held_out;
        run.seen[ALL_FULL] += held_in && held_for > LATENCY + 4 * INTERVAL;
        run.seen[ALL_EMPTY] += !offering && due.empty() && !index && finished;
        run.seen[RESULTS_TOGETHER] += top.m_axis_tvalid && top.m_axis_tready && finished && !out_beat &&
                                      last_beat == cycle - 1;
        if (!offering || !top.s_axis_tready || swallowing) return;
        run.seen[FRAMES_TOGETHER] += !index && cycle && frame_end == cycle - 1;
        if (index == BEATS - 1) frame_end = cycle;
    }

    // How far a reset finds the accelerator; `first` is the situation of an idle one.
    void observe_reset(unsigned first) {
        const unsigned how = was_valid ? 3 : index ? 1 : due.empty() ? 0 : 2;
        ++run.seen[first + how];
    }

    void broken(unsigned how) {
        ++run.seen[how];
        run.seen[BROKEN_BEHIND_BROKEN] += broken_before;
        broken_before = true;
    }

    void check_input() {
        if (!offering || !top.s_axis_tready) return;
        silent = 0;
        if (index == 0) first_beat = cycle;
        const Beat& beat = packets.front();
        take(beat, frame_numbers.front());
        packets.pop_front();
        frame_numbers.pop_front();
        offering = false;
    }

    void take(const Beat& beat, uint64_t number) {
        if (swallowing) {
            swallowing = !beat.last;
            return;
        }
        const bool ends = index == BEATS - 1;
        bool wrong = false;
        for (unsigned k = 0; k < BYTES; ++k) {
            const bool needed = !ends || k < LAST_BYTES, high = beat.keep[k / 8] >> (k % 8) & 1;
            wrong |= needed ? !high : high && !batch;
        }
        if (beat.last && !ends) {  // short
            errors |= 1;
            broken(SHORT);
            ++dropped, ++run.dropped;
            index = 0;
            faulty = false;
            return;
        }
        if (wrong) errors |= 4;
        faulty |= wrong;
        ++index;
        if (!ends) return;
        const bool long_packet = !beat.last && !batch;
        if (long_packet) errors |= 2, swallowing = true;
        if (faulty || long_packet) {
            broken(long_packet ? LONG : BAD_KEEP);
            ++dropped, ++run.dropped;
        } else {
            broken_before = false;
            run.seen[THIRD_FRAME] += ++good == 3;  // since the reset: both places of every buffer have been used
            run.seen[BATCH] += !beat.last;
            ++run.frames_in;
            due.push_back({number, beat.last});
        }
        index = 0;
        faulty = false;
    }

    void check_output() {
        if (was_valid && !lawless) {
            if (!top.m_axis_tvalid) fail("a result's beat was taken back");
            if (top.m_axis_tdata != was_data || top.m_axis_tlast != was_last) fail("an offered beat changed");
        }
        was_valid = top.m_axis_tvalid && !top.m_axis_tready;
        was_data = top.m_axis_tdata;
        was_last = top.m_axis_tlast;
        if (!top.m_axis_tvalid) return;
        if (due.empty()) fail("a result without a frame: %llx", (unsigned long long)top.m_axis_tdata);
        const Result& result = due.front();
        const uint64_t expected = run.expected[result.frame * OUT_BEATS + out_beat];
        const bool ends = out_beat == OUT_BEATS - 1;
        if (top.m_axis_tdata != expected)
            fail("beat %llu of result %llu is %llx, expected %llx", (unsigned long long)out_beat,
                 (unsigned long long)finished, (unsigned long long)top.m_axis_tdata, (unsigned long long)expected);
        if (top.m_axis_tkeep != 0xff) fail("TKEEP is not all ones");
        if (static_cast<bool>(top.m_axis_tlast) != (ends && result.last)) fail("TLAST is wrong on a result");
        if (!top.m_axis_tready) return;
        silent = 0;
        if (++out_beat < OUT_BEATS) return;
        out_beat = 0;
        last_beat = cycle;
        due.pop_front();
        ++finished;
        ++run.results;
    }

    void check_bus(uint64_t g, uint64_t f, uint64_t d, unsigned e) {
        if (top.s_axi_control_bresp || top.s_axi_control_rresp) fail("an access does not end in OKAY");
        if (held_b && !top.s_axi_control_bvalid) fail("BVALID was taken back");
        if (held_r && (!top.s_axi_control_rvalid || top.s_axi_control_rdata != held_data)) fail("a read answer changed");
        held_b = top.s_axi_control_bvalid && !top.s_axi_control_bready;
        held_r = top.s_axi_control_rvalid && !top.s_axi_control_rready;
        held_data = top.s_axi_control_rdata;
        if (top.s_axi_control_bvalid && top.s_axi_control_bready) {
            if (!writing || !address_sent || !data_sent) fail("an answer without a write");
            writing = false;
            ++run.accesses;
        }
        if (top.s_axi_control_rvalid && top.s_axi_control_rready) {
            if (reading || !answer_due) fail("an answer without a read");
            answer_due = false;
            read_value = top.s_axi_control_rdata;
            check_read();
            ++run.accesses;
        }
        if (top.s_axi_control_awvalid && top.s_axi_control_awready) address_sent = true;
        if (top.s_axi_control_wvalid && top.s_axi_control_wready) data_sent = true;
        if (top.s_axi_control_arvalid && top.s_axi_control_arready) {
            reading = false;
            answer_due = true;
            good_at_read = g, out_at_read = f, dropped_at_read = d, errors_at_read = e;
        }
        const bool stuck = (top.s_axi_control_arvalid && !top.s_axi_control_arready) ||
                           (top.s_axi_control_awvalid && !top.s_axi_control_awready) ||
                           (top.s_axi_control_wvalid && !top.s_axi_control_wready) ||
                           (answer_due && top.s_axi_control_rready && !top.s_axi_control_rvalid) ||
                           (address_sent && data_sent && writing && top.s_axi_control_bready && !top.s_axi_control_bvalid);
        waited = stuck ? waited + 1 : 0;
        if (waited > 100) fail("an access to a register hangs");
    }
    bool answer_due = false;

    void check_read() {
        if (lawless) return;
        const unsigned word = read_at / 4;
        const auto is = [&](const char* name, uint32_t value) {
            if (read_value != value) fail("%s reads as %u, not %u", name, read_value, value);
        };
        const auto bounds = [&](const char* name, uint64_t low, uint64_t high) {
            if (read_value < low || read_value > high)
                fail("%s reads as %u, not %llu to %llu", name, read_value, (unsigned long long)low,
                     (unsigned long long)high);
        };
        switch (word) {
            case 0x0: return is("IDENTITY", 0x42545752);
            case 0x1: return is("VERSION", 0x00010000);
            case 0x2: return is("CONTROL", batch ? 2 : 0);
            case 0x3: return bounds("STATUS", 0, 1);
            case 0x4: return is("ERRORS", errors_at_read);
            case 0x5: return bounds("FRAMES_IN", out_at_read, good_at_read);
            case 0x6: return is("FRAMES_OUT", out_at_read);
            case 0x7: return bounds("FRAMES_DROPPED", 0, dropped_at_read);
            case 0x8: return bounds("CYCLES_BUSY", 0, cycle);
            case 0x9: return is("INPUT_BYTES", FRAME_BYTES);
            case 0xa: return is("OUTPUT_BEATS", OUT_BEATS);
            case 0xb: return is("OUTPUTS", OUTPUTS);
            default:
                if (word >= 0xc && word < 0x14) return is("DIGEST", DIGEST[word - 0xc]);
                return is("an unknown address", 0);
        }
    }

    // ---- what happens ----

    void begin_read(unsigned address) {
        read_at = address;
        reading = true;
    }
    void begin_write(unsigned address, uint32_t value, uint32_t strobe = 15) {
        write_at = address, write_value = value, write_strobe = strobe;
        writing = true, address_sent = data_sent = false;
    }
    void settle_bus() {
        while (reading || answer_due || writing) tick();
    }
    uint32_t read(unsigned address) {
        settle_bus();
        begin_read(address);
        settle_bus();
        return read_value;
    }
    void must(unsigned address, uint64_t value, const char* name) {
        if (read(address) != static_cast<uint32_t>(value))
            fail("%s is %u, not %llu, with nothing under way", name, read_value, (unsigned long long)value);
    }

    void maybe_access() {
        if (!traffic || reading || answer_due || !random.chance(20)) return;
        begin_read(4 * random.below(random.chance(80) ? 20 : 64));
        if (writing || !random.chance(30)) return;
        // writes without effect: read-only and unknown addresses, zeros to ERRORS, CONTROL without its lowest byte
        const unsigned word = random.below(64);
        if (word == 2) begin_write(8, random.next(), random.below(8) * 2);
        else if (word == 4) begin_write(16, static_cast<uint32_t>(random.next()) & ~7u);
        else begin_write(4 * word, random.next(), random.below(16));
    }

    void forget() {
        packets.clear();
        frame_numbers.clear();
        due.clear();
        offering = swallowing = faulty = was_valid = false;
        index = out_beat = good = finished = dropped = silent = 0;
        errors = 0;
    }

    void hard_reset(uint64_t cycles) {
        observe_reset(RESET_IDLE);
        forget();
        reading = writing = answer_due = held_b = held_r = batch = false;
        top.aresetn = 0;
        top.s_axis_tvalid = top.s_axi_control_awvalid = top.s_axi_control_wvalid = top.s_axi_control_arvalid = 0;
        for (uint64_t k = 0; k < cycles; ++k) {
            top.m_axis_tready = random.chance(50);
            top.s_axi_control_bready = top.s_axi_control_rready = random.chance(50);
            top.eval();
            if (k && (top.m_axis_tvalid || top.s_axis_tready || top.s_axi_control_bvalid || top.s_axi_control_rvalid))
                fail("an output is valid in reset");
            edge();
        }
        top.aresetn = 1;
        ++run.resets;
    }

    void soft_reset() {
        settle_bus();
        observe_reset(SOFT_IDLE);
        lawless = true;
        packets.clear(), frame_numbers.clear();
        offering = false;
        index = 0, swallowing = faulty = false;
        begin_write(8, 1u | (batch ? 2u : 0u));
        while (writing) tick(false);
        const bool taking = random.chance(50);
        for (int k = 0; k < 12; ++k) {
            if (k == 2) due.clear(), out_beat = 0;  // a result may leave until the reset is there, none afterwards
            tick(false, taking);
        }
        lawless = false;
        forget();
        ++run.soft_resets;
    }

    void after_reset() {
        if (random.chance(50)) return;
        const bool had = traffic;
        traffic = false;
        must(0xc, 0, "STATUS");
        must(0x10, 0, "ERRORS");
        must(0x14, 0, "FRAMES_IN");
        must(0x18, 0, "FRAMES_OUT");
        must(0x1c, 0, "FRAMES_DROPPED");
        must(0x20, 0, "CYCLES_BUSY");
        if (random.chance(50)) {  // a frame by itself, in time
            Stall in = stall_in, out = stall_out;
            stall_in = stall_out = Stall{};
            for (int k = 0; k < 4; ++k) tick();
            add_frames(1, true);
            while (!packets.empty() || !due.empty()) tick();
            if (last_beat - first_beat != LATENCY)
                fail("a frame alone took %llu cycles, not %llu", (unsigned long long)(last_beat - first_beat),
                     (unsigned long long)LATENCY);
            stall_in = in, stall_out = out;
        }
        traffic = had;
    }

    // `count` frames of one packet, whole and right
    void add_frames(uint64_t count, bool right_keep) {
        for (uint64_t n = 0; n < count; ++n) {
            const uint64_t number = random.below(run.frame_count);
            for (uint64_t k = 0; k < BEATS; ++k) {
                Beat beat{};
                std::memcpy(beat.data, run.frames + (number * BEATS + k) * BYTES, BYTES);
                const bool ends = k == BEATS - 1;
                for (unsigned b = 0; b < BYTES; ++b) {
                    const bool needed = !ends || b < LAST_BYTES;
                    if (needed || (!right_keep && random.chance(50))) beat.keep[b / 8] |= 1 << b % 8;
                    if (!needed) beat.data[b] = random.next();  // padding may hold anything
                }
                if (ends && FREE_BITS) beat.data[LAST_BYTES - 1] |= random.next() << (8 - FREE_BITS);
                beat.last = ends && n == count - 1;
                packets.push_back(beat);
                frame_numbers.push_back(number);
            }
        }
    }

    void add_packet(unsigned broken) {
        const std::size_t start = packets.size();
        add_frames(batch ? 1 + random.below(random.chance(90) ? 4 : 40) : 1, !batch);
        if (!random.chance(broken)) return;
        const std::size_t size = packets.size() - start;
        switch (random.below(3)) {
            case 0: {  // short (at a frame's end in a batch it is only a shorter packet)
                const std::size_t kept = 1 + random.below(size);
                packets.resize(start + kept);
                frame_numbers.resize(start + kept);
                packets.back().last = true;
                break;
            }
            case 1: {  // long (in a batch, a longer packet that may end in a frame)
                packets.back().last = false;
                const uint64_t more = 1 + random.below(random.chance(80) ? 3 : 3 * BEATS);
                for (uint64_t k = 0; k < more; ++k) {
                    Beat beat{};
                    const uint64_t number = random.below(run.frame_count);
                    std::memcpy(beat.data, run.frames + number * BEATS * BYTES, BYTES);
                    for (unsigned b = 0; b < BYTES; ++b) beat.keep[b / 8] |= 1 << b % 8;
                    beat.last = k == more - 1;
                    // in a batch these beats are no frame's of the file: TKEEP of one of them says so
                    if (batch) beat.keep[0] &= ~1;
                    packets.push_back(beat);
                    frame_numbers.push_back(number);
                }
                break;
            }
            default: {  // a wrong TKEEP somewhere
                Beat& beat = packets[start + random.below(size)];
                const unsigned b = random.below(BYTES);
                beat.keep[b / 8] ^= 1 << b % 8;
            }
        }
    }

    void scenario() {
        const uint64_t pipeline = LATENCY + 4 * INTERVAL;
        stall_in.choose(random, pipeline);
        stall_out.choose(random, pipeline);
        stall_bus.choose(random, 10);
        traffic = random.chance(50);
        if (random.chance(20)) {
            settle_bus();
            begin_write(8, batch ? 0 : 2);
            settle_bus();
            batch = !batch;
        }
        const unsigned broken = random.chance(50) ? 0 : random.chance(50) ? 10 : 60;
        uint64_t count = 1 + random.below(random.chance(70) ? 20 : 120);
        const bool cut = random.chance(50);
        uint64_t until = cycle + random.below(1 + (random.chance(50) ? pipeline : count * INTERVAL * 2));
        while (count || !packets.empty() || !due.empty()) {
            if (count && packets.size() < 2 * BEATS) add_packet(broken), --count;
            if (cut && cycle >= until) break;
            maybe_access();
            tick();
            if (random.below(20 * pipeline) == 0) stall_in.choose(random, pipeline), stall_out.choose(random, pipeline);
        }
        if (cut) {
            if (random.chance(70)) hard_reset(1 + random.below(4));
            else soft_reset();
            after_reset();
            return;
        }
        // all is out: after a while every register says so
        stall_out = Stall{};
        settle_bus();
        traffic = false;
        for (uint64_t k = 0; k < 2 * LATENCY + 4 * BEATS + 20; ++k) tick();
        must(0xc, 0, "STATUS");
        must(0x14, good, "FRAMES_IN");
        must(0x18, good, "FRAMES_OUT");
        must(0x1c, dropped, "FRAMES_DROPPED");
        const uint32_t busy = read(0x20);
        must(0x20, busy, "CYCLES_BUSY");
        must(0x10, errors, "ERRORS");
        if (errors) {
            const unsigned some = random.below(8);
            begin_write(0x10, some);
            settle_bus();
            errors &= ~some;
            must(0x10, errors, "ERRORS");
        }
    }

    void all() {
        top.aclk = 0;
        hard_reset(4);
        --run.resets;
        after_reset();
        while (cycle < run.cycles) scenario();
    }
};

}  // namespace

#pragma GCC visibility push(default)
extern "C" int fuzz_run(FuzzRun* run) {
    auto fuzz = std::make_unique<Fuzz>(*run);
    int status = 0;
    try {
        fuzz->all();
    } catch (const Failure&) {
        status = 1;
    }
    run->ran = fuzz->cycle;
    fuzz->top.final();
    return status;
}
#pragma GCC visibility pop
