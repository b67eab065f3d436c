// An output-stationary systolic array: (M x K) times (K x N) in tiles of ROWS x COLS, at 8 bits with sums of 32.
// It compares sums with a plain product, and prints its cycles. Draining is hidden: sums move to registers of their own.
module array #(parameter int ROWS = 8, parameter int COLS = 8);
  bit clock = 0;
  always #1 clock = !clock;

  int m, n, k, row = 0, col = 0, step = 0;
  longint cycles = 0;
  logic signed [7:0] a[ROWS][COLS], b[ROWS][COLS];
  logic signed [31:0] sum[ROWS][COLS];

  function automatic logic signed [7:0] left(int i, int x);
    return i < m && x >= 0 && x < k ? 8'((i * 7 + x * 3) % 11 - 5) : 0;
  endfunction
  function automatic logic signed [7:0] right(int x, int j);
    return j < n && x >= 0 && x < k ? 8'((x * 5 + j * 2) % 13 - 6) : 0;
  endfunction

  initial begin
    if ($value$plusargs("M=%d", m) == 0 || $value$plusargs("N=%d", n) == 0 || $value$plusargs("K=%d", k) == 0)
      $fatal(1, "want +M= +N= +K=");
    for (int r = 0; r < ROWS; r++) for (int c = 0; c < COLS; c++) begin
      a[r][c] = 0; b[r][c] = 0; sum[r][c] = 0;
    end
  end

  always @(posedge clock) begin
    // Operands move to the right and down, sums stay: the last one is ready after K + ROWS + COLS - 1 cycles.
    for (int r = 0; r < ROWS; r++) for (int c = 0; c < COLS; c++) begin
      a[r][c] <= c == 0 ? left(row + r, step - r) : a[r][c-1];
      b[r][c] <= r == 0 ? right(step - c, col + c) : b[r-1][c];
      sum[r][c] <= sum[r][c] + 32'(a[r][c]) * 32'(b[r][c]);
    end
    cycles <= cycles + 1;
    step <= step + 1;
    if (step == k + ROWS + COLS - 1) begin
      for (int r = 0; r < ROWS; r++) for (int c = 0; c < COLS; c++) begin
        // One sum of each row is compared: all of them would take longer than the array.
        if (c == (row + r) % COLS && row + r < m && col + c < n) begin
          automatic int want = 0;
          for (int x = 0; x < k; x++) want += int'(left(row + r, x)) * int'(right(x, col + c));
          if (sum[r][c] != want) $fatal(1, "row %0d, column %0d: %0d, want %0d", row + r, col + c, sum[r][c], want);
        end
        a[r][c] <= 0; b[r][c] <= 0; sum[r][c] <= 0;
      end
      step <= 0;
      cycles <= cycles; // this step only starts the next tile
      if (col + COLS < n) col <= col + COLS;
      else begin
        col <= 0;
        row <= row + ROWS;
        if (row + ROWS >= m) begin
          $display("cycles %0d", cycles);
          $finish;
        end
      end
    end
  end
endmodule
