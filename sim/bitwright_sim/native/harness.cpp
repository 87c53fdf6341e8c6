// Drives one Verilated accelerator over many frames and hands back every integer that its probes show.
//
// Compiled together with the model. native_config.h, written for one design, gives the constants and
// probe_read(). All cycles count rising edges of aclk since the model was made.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "Vnative.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

template <class T>
inline void put_words(const T& value, uint32_t* words) {  // CData, SData, IData, QData
    words[0] = static_cast<uint32_t>(value);
    if (sizeof(T) > 4) words[1] = static_cast<uint32_t>(static_cast<uint64_t>(value) >> 32);
}
template <std::size_t N>
inline void put_words(const VlWide<N>& value, uint32_t* words) {
    for (std::size_t i = 0; i < N; ++i) words[i] = value[i];
}
template <class T>
inline void get_bytes(T& value, const uint8_t* bytes) {
    std::memcpy(&value, bytes, sizeof(T));
}
template <std::size_t N>
inline void get_bytes(VlWide<N>& value, const uint8_t* bytes) {
    std::memcpy(&value[0], bytes, 4 * N);
}
inline int64_t field(const uint32_t* words, unsigned position, unsigned bits) {
    uint64_t value = 0;
    for (unsigned got = 0; got < bits;) {
        const unsigned at = position + got, shift = at & 31, take = 32 - shift;
        value |= static_cast<uint64_t>(words[at >> 5] >> shift) << got;
        got += take;
    }
    const unsigned left = 64 - bits;
    return static_cast<int64_t>(value << left) >> left;
}

struct Random {  // xorshift64*, Vigna 2016
    uint64_t state;
    explicit Random(uint64_t seed) : state(seed * 2 + 1) {}
    uint64_t next() {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return (state * 0x2545F4914F6CDD1DULL) >> 32;
    }
    bool chance(uint32_t permille) { return next() % 1000 < permille; }
};

struct Pauses {  // of one side of a stream: cycle by cycle, or in stretches of up to `longest` cycles, a pause first
    uint64_t permille, longest, left = 0;
    bool paused = false, begun = false;
    bool now(Random& random) {
        if (!longest) return random.chance(permille);
        if (!left) {
            left = 1 + random.next() % longest;
            paused = random.chance(permille) || !begun;
            begun = true;
        }
        --left;
        return paused;
    }
};

}  // namespace

#include "native_config.h"

#pragma GCC visibility push(default)
extern "C" {

// Mirrored by native/model.py (class _Run): the same fields in the same order, 8 bytes each.
struct NativeRun {
    uint64_t frames;         // frames to send
    const uint8_t* input;    // frames * IN_BEATS * IN_BYTES bytes
    uint64_t* results;       // frames * OUT_BEATS beats
    int64_t** probes;        // one array a probe: frames * words * fields
    uint64_t* first_in;      // frames: cycle of the first beat accepted
    uint64_t* last_out;      // frames: cycle of the result's last beat
    uint64_t* probe_words;   // one count a probe: words seen, more than fit included
    uint64_t watchdog;       // cycles without any beat or probe word, and without a pause, after which the run ends
    uint64_t quiet;          // cycles to go on after the last result, so that a result too many is seen
    uint64_t seed;
    uint64_t stall_in;       // permille of cycles in which no input is offered
    uint64_t stall_out;      // permille of cycles in which no output is taken
    uint64_t longest_in;     // cycles that a pause of the input may last; 0: each cycle is drawn by itself
    uint64_t longest_out;    // the same of the output
    uint64_t in_beats;       // result: input beats accepted
    uint64_t out_beats;      // result: output beats seen, more than fit included
    uint64_t bad_framing;    // result: output beats with TLAST or TKEEP wrong
    uint64_t first_bad;      // result: index of the first such beat
    uint64_t cycles;         // result: cycles of this run
    uint64_t* trace;         // the handshakes of each cycle (see the run), as many as fit, or null
    uint64_t trace_room;
    uint64_t trace_length;   // result
    const uint8_t* last;     // of each beat TLAST, or null: on each frame's last beat
    const uint8_t* keep;     // of each beat its TKEEP, whole bytes, or null: as a frame has it
    uint64_t in_due;         // with `last`: beats to send, which need not be whole frames,
    uint64_t results_due;    // and beats that are due
};

struct Native {
    std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    std::unique_ptr<Vnative> top;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> trace;
#endif
    uint64_t cycle = 0;

    void low() {
        top->aclk = 0;
        top->eval();
#if VM_TRACE
        if (trace) trace->dump(cycle * 10 + 5);
#endif
    }
    void high() {
        top->aclk = 1;
        top->eval();
        ++cycle;
#if VM_TRACE
        if (trace) trace->dump(cycle * 10);
#endif
    }
};

void native_reset(Native* native) {
    Vnative& top = *native->top;
    top.aresetn = 0;
    top.s_axis_tvalid = 0;
    top.s_axis_tlast = 0;
    top.m_axis_tready = 0;
    for (int i = 0; i < 8; ++i) {
        native->low();
        native->high();
    }
    top.aresetn = 1;
    for (int i = 0; i < 8; ++i) {
        native->low();
        native->high();
    }
}

Native* native_new(const char* trace_file) {
    Native* native = new Native;
    native->context->traceEverOn(trace_file != nullptr);
    // the models of a design's blocks are made in the first evaluation, in the thread's context
    VerilatedContext* const before = Verilated::threadContextp();
    Verilated::threadContextp(native->context.get());
    native->top.reset(new Vnative{native->context.get(), "bitwright"});
#if VM_TRACE
    if (trace_file) {
        native->trace.reset(new VerilatedVcdC);
        native->top->trace(native->trace.get(), 99);
        native->trace->open(trace_file);
    }
#endif
    native_reset(native);
    Verilated::threadContextp(before);
    return native;
}

void native_free(Native* native) {
#if VM_TRACE
    if (native->trace) native->trace->close();
#endif
    native->top->final();
    delete native;
}

#ifdef NATIVE_CONTROL
// Writes each of `count` words to the register at `address` (AXI4-Lite); 0, or 1 for an access without an answer.
int native_write(Native* native, uint32_t address, const uint32_t* values, uint64_t count) {
    Vnative& top = *native->top;
    top.s_axi_control_awaddr = address;
    top.s_axi_control_wstrb = 0xf;
    for (uint64_t i = 0; i < count; ++i) {
        top.s_axi_control_wdata = values[i];
        top.s_axi_control_awvalid = top.s_axi_control_wvalid = top.s_axi_control_bready = 1;
        bool answered = false;
        for (int cycles = 0; cycles < 1000 && !answered; ++cycles) {
            native->low();
            const bool address_taken = top.s_axi_control_awready, data_taken = top.s_axi_control_wready;
            answered = top.s_axi_control_bvalid;
            native->high();
            if (address_taken) top.s_axi_control_awvalid = 0;
            if (data_taken) top.s_axi_control_wvalid = 0;
        }
        top.s_axi_control_awvalid = top.s_axi_control_wvalid = 0;
        if (!answered) return 1;
    }
    return 0;
}

// Reads the register at `address`; 0, or 1 for an access without an answer.
int native_read(Native* native, uint32_t address, uint32_t* value) {
    Vnative& top = *native->top;
    top.s_axi_control_araddr = address;
    top.s_axi_control_arvalid = top.s_axi_control_rready = 1;
    for (int cycles = 0; cycles < 1000; ++cycles) {
        native->low();
        const bool taken = top.s_axi_control_arready, answered = top.s_axi_control_rvalid;
        if (answered) *value = top.s_axi_control_rdata;
        native->high();
        if (taken) top.s_axi_control_arvalid = 0;
        if (answered) return 0;
    }
    top.s_axi_control_arvalid = 0;
    return 1;
}
#endif

// 0: everything arrived, or the watchdog ended the run after the whole input was taken (the counts tell);
// 1: the watchdog ended it while input was still waiting; 2: the model called $finish or $stop.
int native_run(Native* native, NativeRun* run) {
    Vnative& top = *native->top;
    Random random{run->seed};
    Pauses pauses_in{run->stall_in, run->longest_in}, pauses_out{run->stall_out, run->longest_out};
    const uint64_t all_in = run->last ? run->in_due : run->frames * IN_BEATS;
    const uint64_t all_out = run->last ? run->results_due : run->frames * OUT_BEATS;
    uint64_t in = 0, out = 0, since = 0, quiet = 0, beat = 0, frame = 0;
    uint64_t out_beat = 0, out_frame = 0;
    uint64_t probe_frame[PROBES + 1] = {}, probe_word[PROBES + 1] = {};
    bool offering = false;
    int status = 0;
    uint32_t words[PROBE_WORDS_MAX];
    const uint64_t start = native->cycle;
    run->bad_framing = run->trace_length = 0;
    for (unsigned p = 0; p < PROBES; ++p) run->probe_words[p] = 0;

    for (;;) {
        bool pausing = false;  // nothing need happen in this cycle
        if (!offering && in < all_in) pausing = pauses_in.now(random);
        if (!offering && in < all_in && !pausing) {
            offering = true;
            get_bytes(top.s_axis_tdata, run->input + in * IN_BYTES);
            const bool last = beat == IN_BEATS - 1;
            get_bytes(top.s_axis_tkeep, run->keep ? run->keep + in * KEEP_BYTES : last ? KEEP_LAST : KEEP_ALL);
            top.s_axis_tlast = run->last ? run->last[in] : last;
        }
        top.s_axis_tvalid = offering;
        top.m_axis_tready = !pauses_out.now(random);
        pausing |= !top.m_axis_tready;
        native->low();

        bool progress = false;
        // the same bits in the same order as the sliced harness's
        uint64_t handshakes = offering | top.s_axis_tready << 1 | top.s_axis_tlast << 2 | top.m_axis_tvalid << 3 |
                              top.m_axis_tready << 4 | (top.m_axis_tvalid && top.m_axis_tlast) << 5 |
                              (top.m_axis_tvalid && top.m_axis_tkeep != 0xff) << 6;
        if (offering && top.s_axis_tready) {
            if (beat == 0) run->first_in[frame] = native->cycle;
            ++in;
            if (++beat == IN_BEATS) {
                beat = 0;
                ++frame;
            }
            offering = false;
            progress = true;
        }
        if (top.m_axis_tvalid && top.m_axis_tready) {
            if (out < all_out) run->results[out] = top.m_axis_tdata;
            const bool last = out_beat == OUT_BEATS - 1;
            if (static_cast<bool>(top.m_axis_tlast) != last || top.m_axis_tkeep != 0xff) {
                if (!run->bad_framing++) run->first_bad = out;
            }
            ++out;
            if (last) {
                if (out_frame < run->frames) run->last_out[out_frame] = native->cycle;
                ++out_frame;
                out_beat = 0;
            } else {
                ++out_beat;
            }
            progress = true;
        }
        for (unsigned p = 0; p < PROBES; ++p) {
            if (!probe_read(top, p, words)) continue;
            handshakes |= 1ull << (8 + p % 56);
            const Probe& probe = PROBE[p];
            if (probe_frame[p] < run->frames) {
                int64_t* to = run->probes[p] + (probe_frame[p] * probe.words + probe_word[p]) * probe.fields;
                for (unsigned f = 0; f < probe.fields; ++f) to[f] = field(words, f * probe.bits, probe.bits);
            }
            if (++probe_word[p] == probe.words) {
                probe_word[p] = 0;
                ++probe_frame[p];
            }
            ++run->probe_words[p];
            progress = true;
        }
        if (run->trace_length < run->trace_room) run->trace[run->trace_length++] = handshakes;
        native->high();

        if (native->context->gotFinish()) {
            status = 2;
            break;
        }
        since = progress ? 0 : since + !pausing;
        if (out >= all_out && in == all_in) {
            if (++quiet > run->quiet) break;
        } else if (since > run->watchdog) {
            status = in < all_in ? 1 : 0;
            break;
        }
    }
    top.s_axis_tvalid = 0;
    top.m_axis_tready = 0;
    run->in_beats = in;
    run->out_beats = out;
    run->cycles = native->cycle - start;
    return status;
}

}  // extern "C"
#pragma GCC visibility pop
