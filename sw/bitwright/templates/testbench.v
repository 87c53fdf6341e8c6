// A testbench of {{ top }} for any Verilog simulator: {{ frames }} frames, back to back, and their results by the
// golden model. It says PASS or FAIL at the end. With +stall both sides pause at random.
//
// Compile with: {{ sources | join(" ") | safe }}
// input.hex:    one input beat a line: TLAST (1 bit), TKEEP ({{ keep_bits }} bits), TDATA ({{ data_bits }} bits), from high to low
// expected.hex: one output beat a line: TLAST (1 bit), TDATA (64 bits)
`timescale 1ns / 1ps

module testbench;
  localparam IN_BEATS = {{ in_beats }}, OUT_BEATS = {{ out_beats }}, WATCHDOG = {{ watchdog }};

  reg aclk = 0, aresetn = 0;
  always #5 aclk = !aclk;

  reg [{{ in_width - 1 }}:0] inputs [0:IN_BEATS - 1];
  reg [64:0] expected [0:OUT_BEATS - 1];

  reg s_axis_tvalid = 0;
  wire s_axis_tready, m_axis_tvalid, m_axis_tlast;
  reg [{{ in_width - 1 }}:0] beat = 0;
  wire [63:0] m_axis_tdata;
  wire [7:0] m_axis_tkeep;
  reg m_axis_tready = 0;

  {{ top }} dut (
    .aclk(aclk), .aresetn(aresetn),
    .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready), .s_axis_tlast(beat[{{ in_width - 1 }}]),
    .s_axis_tkeep(beat[{{ in_width - 2 }}:{{ data_bits }}]), .s_axis_tdata(beat[{{ data_bits - 1 }}:0]),
    .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready), .m_axis_tlast(m_axis_tlast),
    .m_axis_tkeep(m_axis_tkeep), .m_axis_tdata(m_axis_tdata),
{% for name, bits in idle %}
    .{{ name }}({{ bits }}'d0){{ "" if loop.last else "," }}
{% endfor %}
  );

  integer sent = 0, seen = 0, wrong = 0, quiet = 0, seed = 1, cycle = 0;
  reg stall;

  initial begin
    stall = $test$plusargs("stall");
    $readmemh("input.hex", inputs);
    $readmemh("expected.hex", expected);
    repeat (8) @(posedge aclk);
    #1 aresetn = 1;
  end

  // inputs change a little after the clock's edge; what is valid stays until it is taken
  always @(posedge aclk) begin
    if (s_axis_tvalid && s_axis_tready) sent = sent + 1;
    #1;
    if (aresetn) begin
      if (sent == IN_BEATS) s_axis_tvalid = 0;
      else if (!(s_axis_tvalid && beat === inputs[sent])) begin
        beat = inputs[sent];
        s_axis_tvalid = !stall || ($random(seed) & 1);
      end
      m_axis_tready = !stall || ($random(seed) & 1);
    end
  end

  always @(posedge aclk) if (aresetn) begin
    cycle = cycle + 1;
    quiet = quiet + 1;
    if (m_axis_tvalid === 1'b1 && m_axis_tready) begin
      quiet = 0;
      if (seen >= OUT_BEATS || {m_axis_tlast, m_axis_tdata} !== expected[seen] || m_axis_tkeep !== 8'hff) begin
        wrong = wrong + 1;
        if (wrong <= 10)
          $display("output beat %0d: %h, expected %h", seen, {m_axis_tlast, m_axis_tdata}, expected[seen]);
      end
      seen = seen + 1;
    end else if (m_axis_tvalid !== 1'b0 && m_axis_tvalid !== 1'b1) begin
      wrong = wrong + 1;
    end
    if (quiet > WATCHDOG) begin
      if (seen == OUT_BEATS && wrong == 0) $display("PASS: {{ frames }} frames, %0d output beats, %0d cycles", seen, cycle);
      else $display("FAIL: %0d of %0d output beats came, %0d wrong", seen, OUT_BEATS, wrong);
      $finish;
    end
  end
endmodule
