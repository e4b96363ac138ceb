// A training program in C++: gradient descent on (x - 1)^2 from x = 0.
//
//   g++ -O2 -o train examples/programs/train.cpp
//   danlu run -p 'lr=0.01..1.0:log' --min loss --trials 10 --max-steps 20 -- ./train
//
// It finds its learning rate in the environment, goes on from its checkpoint, saves
// before it reports, and ends when it is asked to or has reached its budget.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <string>

static std::string variable(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

int main() {
  const double lr = std::stod(variable("DANLU_PARAM_LR", "0.1"));
  const long budget = std::stol(variable("DANLU_BUDGET", "20"));
  const std::string report = variable("DANLU_REPORT", "/dev/stdout");
  const std::string stop = variable("DANLU_STOP", "");
  const std::string checkpoint = variable("DANLU_CHECKPOINT", ".") + "/state.txt";

  long step = 0;
  double x = 0;
  std::ifstream(checkpoint) >> step >> x;

  while (step < budget && !(stop.size() && std::filesystem::exists(stop))) {
    step += 1;
    x -= lr * 2 * (x - 1);
    std::ofstream(checkpoint + ".new") << std::setprecision(17) << step << ' ' << x;
    std::filesystem::rename(checkpoint + ".new", checkpoint);

    std::ostringstream line;  // one write for the whole line
    line << std::setprecision(17);
    line << "{\"step\": " << step << ", \"loss\": " << (x - 1) * (x - 1) << "}\n";
    std::ofstream(report, std::ios::app) << line.str();
  }
}
