module sigspy.example/mixed

go 1.18
